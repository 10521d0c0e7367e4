"""Compares docs/outputs.md with the files and keys that runs write: each table of keys has all of them and no
others, and every file of a run directory is in a table.

    outputs_check.py PAGE ROOT LYNCEUS
"""

import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAGE, ROOT, LYNCEUS = sys.argv[1:4]
faults = []


def tables_of(page):
    """{(heading, number of the table below it): the names in backticks in the first cells}."""
    tables, heading, number, rows = {}, "", 0, None
    for line in page.splitlines():
        if line.startswith("#"):
            heading, number = line.lstrip("# "), 0
        if line.startswith("|"):
            if rows is None:
                number += 1
                rows = tables[heading, number] = []
            rows += re.findall(r"`([^`]+)`", line.split(" | ")[0])
        else:
            rows = None
    return tables


def run(command, code=0, **variables):
    done = subprocess.run(command, env=dict(os.environ, **variables), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode != code:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def compare(what, found, expected):
    for name in sorted(set(found) - set(expected)):
        faults.append(f"{what}: {name} is written, but not on the page")
    for name in sorted(set(expected) - set(found)):
        faults.append(f"{what}: {name} is on the page, but not written")


def keys_of(objects):
    return {key for item in objects for key in item}


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_data(folder):
    """One intact and one damaged picture, one that is missing; a held-out set."""
    photo = pathlib.Path(ROOT, "tests/data/photos/images/000000006818.jpg").read_bytes()
    (folder / "good.jpg").write_bytes(photo)
    (folder / "cut.jpg").write_bytes(photo[:3000])
    rows = [{"image": name, "caption": "a caption that is too long for eight tokens"}
            for name in ("good.jpg", "cut.jpg", "absent.jpg")]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run([LYNCEUS, "prepare", "jsonl", "--input", str(folder / "rows.jsonl"), "--output", str(folder / "data"),
         "--check-pictures", "header"])


def train(folder, name, *options, **how):
    data = str(folder / "data/rows.h5")
    run([LYNCEUS, "train", "--config", ROOT + "/tests/data/micro.ini", "--run", str(folder / name),
         "--data.tokenizer", ROOT + "/tests/data/tokenizer/test_model.model", "--data.source", "rows:1:" + data,
         "--data.validation", "rows:" + data, "--data.max_tokens", "8", *options], **how)


def main():
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1")
    tables = tables_of(pathlib.Path(PAGE).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_data(folder)
        rejects = lines_of(folder / "data/rows-rejects.jsonl")
        compare("rejects", keys_of(rejects), tables["prepare", 2])

        train(folder, "run", "--train.steps", "4", "--log.samples", "--log.trace", "2:3", "--stop-after", "2")
        train(folder, "run", "--train.steps", "4", "--resume", "2")
        lines = lines_of(folder / "run/metrics.jsonl")
        compare("metrics of a step", keys_of(line for line in lines if "validation" not in line),
                tables["metrics.jsonl", 1])
        compare("metrics of a validation", keys_of(line for line in lines if "validation" in line),
                tables["metrics.jsonl", 2])
        train(folder, "bad", "--train.steps", "2", "--train.nonfinite", "skip", "--fault", "step.gradient#1:do")
        compare("metrics of a step that is not finite",
                keys_of(line for line in lines_of(folder / "bad/metrics.jsonl") if line["kind"] == "nonfinite"),
                tables["metrics.jsonl", 3])
        (folder / "prompts.jsonl").write_text('{"question": "What?"}\n')
        train(folder, "speaks", "--train.steps", "1", "--train.sample_prompts", str(folder / "prompts.jsonl"))
        compare("sample_answers.jsonl", keys_of(lines_of(folder / "speaks/sample_answers.jsonl")),
                tables["sample_answers.jsonl", 1])
        scores = run([LYNCEUS, "evaluate", "--run", str(folder / "run")])
        compare("evaluate", keys_of(json.loads(line) for line in scores.splitlines()), tables["evaluate", 1])
        incarnations = lines_of(folder / "run/incarnations.jsonl")
        failure = {"rank", "node", "cause"}  # of ranks that failed: none did
        compare("incarnations.jsonl", keys_of(incarnations) | failure, tables["incarnations.jsonl", 1])
        summary = json.loads((folder / "run/summary.json").read_text())
        parts = [summary["requested"], summary["used"], summary["run"], summary["run"]["time"]]
        compare("summary.json", {*summary, *keys_of(parts)}, tables["summary.json", 1])
        seconds = incarnations[-1]["seconds"]
        compare("seconds", {*seconds, "other"}, summary["run"]["time"])

        manifest = json.loads((folder / "run/checkpoints/step-00000004/MANIFEST.json").read_text())
        compare("MANIFEST.json", manifest, tables["checkpoints/", 2])

        # A run that is killed leaves its lease.
        train(folder, "killed", code=-9, LYNCEUS_FAULT="step.before_reduce=kill")
        lease = json.loads((folder / "killed/LEASE.json").read_text())
        compare("LEASE.json", {*lease, *lease["owner"]}, tables["LEASE.json", 1])

        known = [name.rstrip("/") for name in tables["The run directory", 1]]
        for entry in [file for name in ("run", "killed", "speaks") for file in (folder / name).iterdir()]:
            named = entry.name + "/train.log" if entry.name == "log" else entry.name
            if not any(fnmatch.fnmatchcase(named, pattern) for pattern in known):
                faults.append(f"run directory: {entry.name} is not on the page")
    print("\n".join(faults) or "every file and key is on the page")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
