"""Makes the case with different batches in turn: image, text-only, image, video, text-only, with torch's AdamW.

    python3 make_adamw_turns.py OUTPUT_DIR

Tests what a run with one repeated batch cannot: a parameter that a batch does not reach has no gradient
there, so torch.optim.AdamW does not change its value, moments and step count, and its later bias
correction uses its own count. README.md says how the directory differs from a model case.
"""
import argparse
import os

import lynx_oracle as oracle
from make_case import (LYNX, RESAMPLER, VIDEO, make_config, make_inputs, make_weights, write_json)
from tensor_files import write_tensors

TURNS = ("image", "text", "image", "video", "text")
FRAMES = 2
SPEC = {
    "seed": 31, "frames": FRAMES,
    "vit": {"img_size": 14, "embed_dim": 16, "depth": 1},
    "llm": {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 3, "vocab_size": 61},
    "lynx": {**LYNX, **RESAMPLER, **VIDEO, "num_bridge_tokens": 4},
}
LENGTHS = ([7, 5], [9, 4, 6], [5, 8], [6, 3], [8, 8])


def make_batches(config):
    batches = []
    for step, (kind, lengths) in enumerate(zip(TURNS, LENGTHS)):
        batch_config = dict(config, arch="text_only" if kind == "text" else "prefix")
        spec = {"seed": SPEC["seed"] + 1 + step, "lengths": lengths,
                "frames": FRAMES if kind == "video" else 0}
        batches.append(make_inputs(batch_config, spec))
    return batches


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", metavar="OUTPUT_DIR")
    directory = os.path.join(parser.parse_args().output, "turns")
    os.makedirs(directory, exist_ok=True)

    config = make_config("turns", SPEC)
    config["training"] = dict(config["training"], steps=len(TURNS), lr=1e-2)
    config["turns"] = list(TURNS)
    config["stored"] = {"final": "F32"}
    weights, batches = make_weights(config, SPEC), make_batches(config)
    run = oracle.train(weights, config, batches)

    write_json(os.path.join(directory, "config.json"), config)
    write_tensors(os.path.join(directory, "weights.safetensors"), weights)
    for step, batch in enumerate(batches):
        write_tensors(os.path.join(directory, f"inputs.step{step}.safetensors"), batch)
    final = {}
    for name, value in run.parameters.items():
        final[name] = value.float()
        for moment in ("exp_avg", "exp_avg_sq"):
            final[f"{moment}:{name}"] = run.state[name][moment].float()
    write_tensors(os.path.join(directory, "final.safetensors"), final)
    write_json(os.path.join(directory, "trajectory.json"), {
        **config["training"], "turns": list(TURNS), **run.trajectory(), "skipped": run.skipped,
        "step_counts": run.step_counts()})


if __name__ == "__main__":
    main()
