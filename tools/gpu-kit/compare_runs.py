#!/usr/bin/env python3
"""Compares two runs of `lynceus train`.

  compare_runs.py equal RUN RUN                  equal bit for bit: losses, gradient norms, checkpoints
  compare_runs.py track --within 0.01 RUN RUN    each loss differs by at most this share of the first run's

Exit code 0: yes; 5: no.
"""

import argparse
import glob
import json
import os
import sys

# The values of a line of metrics.jsonl that do not depend on the speed of the machine.
COMPUTED = ("step", "samples_seen", "loss", "scored_tokens", "grad_norm", "lr")
# The keys of a manifest that describe computed values, such as the digests of every tensor.
KEPT = ("step", "samples_seen", "tensors", "frozen_weights", "parameter_steps", "tokenizer")


def differ(text):
    print(f"compare_runs: {text}")
    sys.exit(5)


def steps_of(run):
    with open(os.path.join(run, "metrics.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    steps = [line for line in lines if "loss" in line and "step_seconds" in line]
    if not steps:
        differ(f"{run}: expected steps in metrics.jsonl, found none")
    return steps


def checkpoints_of(run):
    paths = sorted(glob.glob(os.path.join(run, "checkpoints", "step-*", "MANIFEST.json")))
    if not paths:
        differ(f"{run}: expected a checkpoint, found none")
    manifests = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            manifests[os.path.basename(os.path.dirname(path))] = json.load(file)
    return manifests


def expect_same_length(first, second):
    if len(first) != len(second):
        differ(f"{len(first)} steps and {len(second)}")


def expect_equal(run, other):
    first, second = steps_of(run), steps_of(other)
    expect_same_length(first, second)
    for one, two in zip(first, second):
        for key in COMPUTED:
            if key not in one or one[key] != two.get(key):
                differ(f"step {one['step']}, {key}: {one.get(key)!r} and {two.get(key)!r}")
    saved, again = checkpoints_of(run), checkpoints_of(other)
    if list(saved) != list(again):
        differ(f"checkpoints {', '.join(saved)} and {', '.join(again)}")
    digests = 0
    for name, manifest in saved.items():
        for key in KEPT:
            if key not in manifest:
                differ(f"{run}, {name}: MANIFEST.json has no {key}")
            if manifest[key] != again[name].get(key):
                differ(f"{name}: {key} differ: {difference(manifest[key], again[name].get(key))}")
        digests += len(manifest["tensors"])
    print(f"{len(first)} steps and {digests} tensors of {len(saved)} checkpoints are equal bit for bit")


def difference(one, two):
    """The first entries that only one of two lists has, or both values."""
    if isinstance(one, list) and isinstance(two, list):
        others = [json.dumps(x) for x in one if x not in two] + [json.dumps(x) for x in two if x not in one]
        return f"{len(others)} entries, first {others[:2]}"
    return f"{one!r} and {two!r}"


def expect_tracking(run, other, within):
    first, second = steps_of(run), steps_of(other)
    expect_same_length(first, second)
    worst, place = 0.0, 0
    for one, two in zip(first, second):
        share = abs(two["loss"] - one["loss"]) / abs(one["loss"])
        if not share <= within:  # NaN is not
            differ(f"step {one['step']}: losses {one['loss']} and {two['loss']}, {share:.2%} apart")
        if share > worst:
            worst, place = share, one["step"]
    figures = {
        "steps": len(first),
        "within": within,
        "worst_share": worst,
        "worst_step": place,
        "first_loss": first[0]["loss"],
        "last_losses": [first[-1]["loss"], second[-1]["loss"]],
    }
    print(json.dumps(figures))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("how", choices=("equal", "track"))
    parser.add_argument("runs", nargs=2, metavar="RUN")
    parser.add_argument("--within", type=float, default=0.01, help="largest share of a loss")
    options = parser.parse_args()
    if options.how == "equal":
        expect_equal(*options.runs)
    else:
        expect_tracking(*options.runs, options.within)


if __name__ == "__main__":
    main()
