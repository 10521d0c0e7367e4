"""Compares what tools/sizes.py computes with what runs of configs/model/tiny.ini report.

    sizes_check.py ROOT LYNCEUS
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, LYNCEUS = sys.argv[1:3]
sys.path.insert(0, os.path.join(ROOT, "tools"))
import sizes  # noqa: E402

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
NAMES = {"frozen weight": "frozen weights", "trainable weight": "trained weights", "gradient": "gradients",
         "moment": "moments"}
CONFIG = ["--config", ROOT + "/configs/model/tiny.ini"]
VOCABULARY = ["--model.vocab_size", "1001"]
faults = []


def expect(what, found, least, most):
    print(f"{what}: {found:,.0f}, expected {least:,.0f} to {most:,.0f}")
    if not least <= found <= most:
        faults.append(what)


def model_of(options):
    return sizes.Model(sizes.read_config(["--lynceus", LYNCEUS, *CONFIG, *VOCABULARY, *options]))


class Run:
    """One step of the tiny model, and what its log says."""

    def __init__(self, folder, data, options, ranks=1):
        self.run = folder / "run"
        command = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        command += [LYNCEUS, "train", *CONFIG, *VOCABULARY, "--run", str(self.run), "--resume", "never",
                    "--data.tokenizer", ROOT + "/tests/data/tokenizer/test_model.model",
                    "--data.source", f"shapes:1:{folder}/shapes/{data}.h5", "--train.steps", "1", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.log = (self.run / "log/train.log").read_text(encoding="utf-8")

    def parameters(self):
        count, unit = re.search(r" I ([0-9.,]+) (thousand|million) parameters", self.log).groups()
        return float(count.replace(",", "")) * (1e6 if unit == "million" else 1e3)

    def bytes_of(self, use):
        """The figure, and half of its last digit."""
        number, unit = re.search(rf"by use:.*?\b{use} ([0-9.]+) (\w+)", self.log).groups()
        return float(number) * UNITS[unit], 0.05 * UNITS[unit]

    def checkpoint_bytes(self):
        return next(self.run.glob("checkpoints/step-*/state.h5")).stat().st_size

    def remove(self):
        subprocess.run(["rm", "-rf", str(self.run)], check=True)


def check_lasting(folder, name, options, ranks):
    """Parameters, weights, gradients, moments and the checkpoint."""
    model = model_of(options)
    run = Run(folder, "train-captions", options, ranks)
    totals = model.all_parameters()
    expect(f"{name}: parameters", run.parameters(), sum(totals.values()) - 5e4, sum(totals.values()) + 5e4)
    ranges = [model.lasting(model.stage_parameters(stage, layers, model.ranks))
              for stage, layers in enumerate(model.partition())]
    # Weights of the encoder are packed one by one: the one that is packed exists twice meanwhile. Packed
    # panels are padded.
    packed = model.bytes * model.vision * model.vision_mlp
    for use, row in NAMES.items():
        found, half_digit = run.bytes_of(use)
        computed = max(sizes_of_rank[row] for sizes_of_rank in ranges)
        extra = packed + 0.02 * computed if use == "frozen weight" else 0
        expect(f"{name}: {use}", found, computed - half_digit, computed + extra + half_digit)
    trained = sum(count for module, count in totals.items() if module in model.trains)
    expect(f"{name}: checkpoint", run.checkpoint_bytes(), 12 * trained, 12.2 * trained)
    run.remove()


def activations_of(folder, options, samples):
    run = Run(folder, "train-text", [*options, "--train.micro_batch_tokens", "100000",
                                     "--train.global_batch_size", str(samples)])
    metrics = (run.run / "metrics.jsonl").read_text(encoding="utf-8")
    per_second, seconds = (float(re.search(rf'"{key}": ([0-9.e+-]+)', metrics)[1])
                           for key in ("tokens_per_s", "step_seconds"))
    found = run.bytes_of("activation")[0]
    run.remove()
    return found, round(per_second * seconds)


def check_activations(folder, name, options):
    """The growth with the tokens of a micro-batch: what layers keep, the logits, and a little workspace."""
    model = model_of(options)
    few, many = (activations_of(folder, options, samples) for samples in (12, 48))
    slope = (many[0] - few[0]) / (many[1] - few[1])
    layers = range(model.layers)
    computed = model.saved_of_token(layers) + model.recomputed_of_token(layers) + model.logits_of_token()
    expect(f"{name}: activation bytes of a token", slope, computed, 1.2 * computed)


def main():
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([LYNCEUS, "prepare", "shapes", "--seed", "5", "--count", "48", "--output",
                        str(folder / "shapes")], check=True, stdout=subprocess.DEVNULL)
        check_lasting(folder, "f32", [], 1)
        check_lasting(folder, "bf16", ["--precision", "bf16"], 1)
        check_lasting(folder, "tied", ["--model.tie_word_embeddings", "true"], 1)
        check_lasting(folder, "tied, 2 stages", ["--model.tie_word_embeddings", "true", "--parallel.pipeline", "2"], 2)
        check_lasting(folder, "2 x 2 ranks", ["--parallel.tensor", "2", "--parallel.pipeline", "2"], 4)
        check_activations(folder, "none", [])
        check_activations(folder, "layer", ["--train.recompute", "layer"])
    print(f"{len(faults)} figures differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
