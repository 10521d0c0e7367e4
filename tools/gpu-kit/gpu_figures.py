"""Computes ratios from the lines of the device benchmarks: Lynceus against its peers.

    python3 gpu_figures.py figures.jsonl...      a table; "-" reads stdin
    python3 gpu_figures.py --json gpu.json       the ratios as JSON, from the list "figures" of gpu.json

Steps: speed and peak memory against each mode of PyTorch, for workloads that both measured; required
operations against the matrix rate. Attention: against the best SDPA backend and against the matrix rate.
Kernels: against the copy of the same run. A figure misses if it is below its promise; with --check the
exit code is then 1. If two lines measure the same thing, the last one counts.
"""
import argparse
import json
import sys

# The promised ratios.
EAGER, COMPILED, COMPILED_MIXED, MFU = 1.2, 1.0, 1.2, 0.55
ATTENTION, LONG_FORWARD, LONG_BACKWARD, COPY = 1.0, 0.40, 0.30, 0.80
LONG_CASE = "causal 2048"
SAME_STEP = ("preset", "precision", "layers", "vision_layers", "image", "mix", "batch", "rows",
             "pictures", "device")


def read_lines(paths):
    """The figures of JSON-line files, and of JSON files that list them under "figures"."""
    found = []
    for path in paths:
        with sys.stdin if path == "-" else open(path) as file:
            text = file.read()
        try:
            whole = json.loads(text)
            found += whole["figures"] if "figures" in whole else [whole]
        except json.JSONDecodeError:
            found += [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [figure for figure in found if "failed" not in figure], [
        figure for figure in found if "failed" in figure]


def ratio(what, against, value, promised=None, spread=None):
    """One line of the table; spread: the smallest and the largest ratio that the samples allow."""
    line = {"what": what, "against": against, "ratio": round(value, 4)}
    if spread:
        line["least"], line["most"] = (round(end, 4) for end in spread)
    if promised is not None:
        line["promised"] = promised
        line["holds"] = value >= promised
    return line


def of_times(theirs, ours):
    """Speed-up and its spread from two spreads of seconds."""
    return theirs["median"] / ours["median"], (theirs["min"] / ours["max"],
                                               theirs["max"] / ours["min"])


def step_name(figure):
    return (f"step {figure['preset']} {figure['precision']} {figure['image']} px"
            + (", mixed lengths" if figure["mix"] != "none" else ""))


def step_ratios(figures):
    ours, peers = {}, {}
    for figure in figures:
        if figure.get("figure") != "step":
            continue
        key = tuple(figure.get(name) for name in SAME_STEP)
        if figure["program"] == "lynceus":
            ours[key] = figure
        else:
            peers[key, figure["mode"]] = figure
    found = []
    for key, own in ours.items():
        found.append(ratio(step_name(own), "matrix rate", own["mfu"], MFU))
        for (other, mode), peer in peers.items():
            if other != key:
                continue
            promised = EAGER if mode == "eager" else (
                COMPILED if own["mix"] == "none" else COMPILED_MIXED)
            value, ends = of_times(peer["seconds"], own["seconds"])
            found.append(ratio(step_name(own), f"PyTorch {mode}", value, promised, ends))
            found.append(ratio(step_name(own) + ", memory", f"PyTorch {mode}",
                               peer["peak_mib"] / own["peak_mib"], 1.0))
    return found


def attention_ratios(figures):
    ours, peers = {}, {}
    for figure in figures:
        if figure.get("figure") == "attention":
            key = (figure["case"], figure["direction"], figure["precision"], figure["rows"],
                   figure["device"])
            (ours if figure["program"] == "lynceus" else peers)[key] = figure
    found = []
    for key, own in ours.items():
        name = f"attention {own['case']} {own['direction']} {own['precision']}"
        if own["case"] == LONG_CASE:
            promised = LONG_FORWARD if own["direction"] == "forward" else LONG_BACKWARD
            found.append(ratio(name, "matrix rate", own["share"], promised))
        peer = peers.get(key)
        if peer and "microseconds" in peer:
            value, ends = of_times(peer["microseconds"], own["microseconds"])
            promised = None if own["case"] == LONG_CASE else ATTENTION
            found.append(ratio(name, f"SDPA {peer['best']}", value, promised, ends))
    return found


def kernel_ratios(figures):
    last = {(figure["kernel"], figure["precision"]): figure for figure in figures
            if figure.get("figure") == "kernel" and figure["kernel"] != "copy"}
    return [ratio(f"{kernel} {precision}", "copy", figure["share"], COPY,
                  [figure["gb_per_s"][end] / figure["copy_gb_per_s"] for end in ("min", "max")])
            for (kernel, precision), figure in last.items()]


def print_table(lines, failed):
    for line in lines:
        ends = f"{line['least']:7.2f} to {line['most']:6.2f}" if "least" in line else " " * 17
        verdict = ""
        if "promised" in line:
            verdict = f"  {'holds' if line['holds'] else 'MISSES'} {line['promised']}"
        print(f"{line['what']:52} / {line['against']:24} {line['ratio']:7.3f} {ends}{verdict}")
    for figure in failed:
        print(f"not measured: {figure['program']} {figure.get('mode', '')} "
              f"{figure.get('mix', '')} {figure.get('image', '')}: {figure['failed']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="JSON lines, or JSON with a list \"figures\"")
    parser.add_argument("--json", action="store_true", help="the ratios as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a promise is missed")
    arguments = parser.parse_args()
    figures, failed = read_lines(arguments.files)
    lines = step_ratios(figures) + attention_ratios(figures) + kernel_ratios(figures)
    if arguments.json:
        print(json.dumps({"ratios": lines, "failed": failed}, indent=1))
    else:
        print_table(lines, failed)
    missed = any(line.get("holds") is False for line in lines) or not lines
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
