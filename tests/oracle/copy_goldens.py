"""Reduces the released model's reference cases to what the tests read.

    python3 copy_goldens.py GOLDEN_DIR OUTPUT_DIR

Activations inside the model are dropped, logits and gradients stored as float32, final parameters
only up to 5,000 values per tensor. Cases that share weights share them here too, by a relative
symbolic link. Only the base case keeps its largest gradients; the cases that repeat its shapes keep
those of at most 20,000 values, while stats.json has the fingerprints of all. config.json says what
is stored.
"""
import argparse
import json
import os
import shutil

from tensor_files import follow_link, read_tensors, write_tensors

LARGEST_FINAL = 5000
BASE = "prefix_image"
KEPT = ("attention_mask_full", "labels_full", "loss", "logits", "vision_features", "bridge_output")
# name: the largest gradient tensor that is kept, in values.
CASES = {BASE: None, "text_only": None, "bridge_affine": None, "bridge_mlp": None,
         "left_pad": 20000, "prefix_video": 20000}
POSITION_CASE = "res_interp"


def reduce_expected(expected, largest):
    kept = {}
    for name, value in expected.items():
        small = largest is None or value.numel() <= largest
        if name in KEPT or (name.startswith("grad.") and small):
            exact = name == "loss" or not value.is_floating_point()
            kept[name] = value if exact else value.float()
    return kept


def copy_weights(source, target):
    original = os.path.join(source, "weights.safetensors")
    path = os.path.join(target, "weights.safetensors")
    if not os.path.islink(original) and follow_link(original) == original:
        shutil.copyfile(original, path)
    elif not os.path.islink(path):
        os.symlink(f"../{BASE}/weights.safetensors", path)


def copy_model_case(source, target, largest):
    os.makedirs(target, exist_ok=True)
    copy_weights(source, target)
    for name in ("inputs.safetensors", "trajectory.json", "stats.json", "hints.json"):
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    expected = read_tensors(os.path.join(source, "expected.safetensors"))
    write_tensors(os.path.join(target, "expected.safetensors"), reduce_expected(expected, largest))
    final = read_tensors(os.path.join(source, "final.safetensors"))
    write_tensors(os.path.join(target, "final.safetensors"),
                  {name: value for name, value in final.items() if value.numel() <= LARGEST_FINAL})
    with open(os.path.join(source, "config.json")) as file:
        config = json.load(file)
    limit = f", only tensors of at most {largest} values" if largest else ""
    config["stored"] = {"grad": "F32" + limit,
                        "final": f"F64, only tensors of at most {LARGEST_FINAL} values"}
    with open(os.path.join(target, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
        file.write("\n")


def copy_position_case(source, target):
    """All entries except the values of the unmodified float32 code."""
    os.makedirs(target, exist_ok=True)
    for name in ("config.json", "weights.safetensors", "inputs.safetensors"):
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))
    expected = read_tensors(os.path.join(source, "expected.safetensors"))
    write_tensors(os.path.join(target, "expected.safetensors"),
                  {name: value for name, value in expected.items()
                   if not name.endswith("_as_released_float32") and name != "pos_embed_original"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden", metavar="GOLDEN_DIR")
    parser.add_argument("output", metavar="OUTPUT_DIR")
    arguments = parser.parse_args()
    for name, largest in CASES.items():
        copy_model_case(os.path.join(arguments.golden, name), os.path.join(arguments.output, name),
                        largest)
    copy_position_case(os.path.join(arguments.golden, POSITION_CASE),
                       os.path.join(arguments.output, POSITION_CASE))


if __name__ == "__main__":
    main()
