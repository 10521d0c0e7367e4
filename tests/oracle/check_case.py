"""Compares the oracle with cases on disk: activations, loss, every gradient, the AdamW runs.

    python3 check_case.py CASE_DIR...

Prints the largest error of each kind. Exit code 1 if one is larger than rounding explains (1e-9
for values stored in float64, 1e-6 for those stored in float32). Errors are relative L2 per tensor;
logits count only where attention_mask_full is 1. Cases of position embeddings (res_interp) and of
batches in turn (turns) are recognised by their config.json.
"""
import argparse
import json
import os
import sys

import torch

import lynx_oracle as oracle
from tensor_files import read_tensors

LIMIT = {torch.float64: 1e-9, torch.float32: 1e-6}


class Report:
    """The largest error of each kind, and whether one exceeds its limit."""

    def __init__(self):
        self.worst, self.failed = {}, []

    def add(self, kind, name, found, expected):
        limit = LIMIT.get(expected.dtype, 0.0)
        expected = expected.double()
        if found.shape != expected.shape:
            self.failed.append(f"{name}: shape {list(found.shape)}, not {list(expected.shape)}")
            return
        scale = max(expected.norm().item(), 1e-30)
        error = (found.detach().double() - expected).norm().item() / scale
        self.worst[kind] = max(self.worst.get(kind, 0.0), error)
        # A NaN fails this comparison too.
        if not error <= limit:
            self.failed.append(f"{name}: error {error:.3g} above {limit:g}")


def check_position_embedding(config, weights, case_dir, report):
    expected = read_tensors(os.path.join(case_dir, "expected.safetensors"))
    inputs = read_tensors(os.path.join(case_dir, "inputs.safetensors"))
    parameters = {name: value.double() for name, value in weights.items()}
    embedding = parameters["vision_encoder.pos_embed"]
    for resolution in config["image_res"]:
        name = f"pos_embed_{resolution}"
        patches = resolution // config["vit"]["patch_size"]
        report.add("pos_embed", name, oracle.resize_position_embedding(embedding, patches),
                   expected[name])
        name = f"vision_features_{resolution}"
        pixels = inputs[f"pixels_{resolution}"].double()
        features = oracle.vision_encoder(parameters, config, pixels)
        report.add("vision", name, features, expected[name])
    for side in (15, 30):
        if f"grid{side}" in expected:
            grid = oracle.resize_position_embedding(expected["grid16"].double(), side)
            report.add("pos_embed", f"grid{side}", grid, expected[f"grid{side}"])


def check_activations(config, weights, inputs, expected, stats, report):
    parameters = oracle.make_parameters(weights, config)
    out = oracle.forward(parameters, config, inputs)
    out["loss"].backward()
    seen = expected["attention_mask_full"] == 1
    for name, value in expected.items():
        if name == "logits":
            report.add("logits", name, out[name][seen], value[seen])
        elif name in out:
            report.add("loss" if name == "loss" else "activations", name, out[name], value)
        elif name == "grad_inputs_embeds":
            report.add("gradients", name, out["inputs_embeds"].grad, value)
    found = oracle.gradients(parameters)
    stored = {name[len("grad."):] for name in expected if name.startswith("grad.")}
    absent = stored - set(found)
    if "only" not in config["stored"]["grad"]:
        absent = stored ^ set(found)
    if absent:
        report.failed.append(f"gradients of {sorted(absent)} on one side only")
    for name in stored & set(found):
        report.add("gradients", name, found[name], expected["grad." + name])
    if "loss_label_smoothing_0p1" in stats:
        with torch.no_grad():
            smoothed = oracle.loss_of(out["logits"], out["labels_full"], 0.1)
        report.add("smoothed loss", "loss_label_smoothing_0p1", smoothed,
                   torch.tensor(stats["loss_label_smoothing_0p1"], dtype=torch.float64))


def check_trajectory(kind, run, expected, report):
    found = run.trajectory()
    for key in ("losses", "grad_norms_before_clip", "loss_after_last_step"):
        report.add(kind, f"{kind} {key}", torch.tensor(found[key], dtype=torch.float64),
                   torch.tensor(expected[key], dtype=torch.float64))


def check_training(config, weights, inputs, case_dir, report):
    trajectory = read_json(os.path.join(case_dir, "trajectory.json"))
    batches = [inputs] * trajectory["steps"]
    run = oracle.train(weights, config, batches)
    check_trajectory("trajectory", run, trajectory, report)
    untouched = {name for name, count in run.step_counts().items() if count == 0}
    if untouched != set(trajectory["untouched_parameters"]):
        report.failed.append(f"untouched parameters: {sorted(untouched)}")
    for name, value in read_tensors(os.path.join(case_dir, "final.safetensors")).items():
        report.add("final", name, run.parameters[name], value)
    if "max_grad_norm_1p3" in trajectory:
        training = dict(config["training"], max_grad_norm=1.3)
        run = oracle.train(weights, config, batches, training)
        check_trajectory("clipped run", run, trajectory["max_grad_norm_1p3"], report)
    if "frozen_frame_pos" in trajectory:
        run = oracle.train(weights, config, batches, frozen=("absolute_frame_pos_embed",))
        check_trajectory("frozen frame run", run, trajectory["frozen_frame_pos"], report)


def check_turns(config, weights, case_dir, report):
    """The case with different batches in turn (make_adamw_turns.py)."""
    trajectory = read_json(os.path.join(case_dir, "trajectory.json"))
    batches = [read_tensors(os.path.join(case_dir, f"inputs.step{step}.safetensors"))
               for step in range(trajectory["steps"])]
    run = oracle.train(weights, config, batches)
    check_trajectory("trajectory", run, trajectory, report)
    if run.step_counts() != trajectory["step_counts"]:
        report.failed.append(f"step counts: {run.step_counts()}")
    if run.skipped != trajectory["skipped"]:
        report.failed.append(f"skipped parameters: {run.skipped}")
    for name, value in read_tensors(os.path.join(case_dir, "final.safetensors")).items():
        moment, _, parameter = name.partition(":")
        found = run.state[parameter][moment] if parameter else run.parameters[name]
        report.add("final", name, found, value)


def read_json(path):
    with open(path) as file:
        return json.load(file)


def check(case_dir):
    report = Report()
    config = read_json(os.path.join(case_dir, "config.json"))
    weights = oracle.load_weights(case_dir)
    if "turns" in config:
        check_turns(config, weights, case_dir, report)
        return report
    if "image_res" in config:
        check_position_embedding(config, weights, case_dir, report)
        return report
    inputs = read_tensors(os.path.join(case_dir, "inputs.safetensors"))
    expected = read_tensors(os.path.join(case_dir, "expected.safetensors"))
    stats_path = os.path.join(case_dir, "stats.json")
    stats = read_json(stats_path) if os.path.exists(stats_path) else {}
    check_activations(config, weights, inputs, expected, stats, report)
    check_training(config, weights, inputs, case_dir, report)
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", metavar="CASE_DIR")
    failed = False
    for case_dir in parser.parse_args().cases:
        report = check(case_dir)
        errors = "  ".join(f"{kind} {error:.1e}" for kind, error in report.worst.items())
        print(f"{os.path.basename(os.path.normpath(case_dir)):14} "
              f"{'FAILED' if report.failed else 'ok':6} {errors}")
        for line in report.failed:
            print("    " + line)
        failed = failed or bool(report.failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
