#!/usr/bin/env python3
"""Runs the parts of plan.py within the time limit and writes gpu.json and logs.tar.xz. gpu.sh starts it.

gpu.json is complete after every part, so that a kit that is stopped early has still reported its results.
"""

import argparse
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import machine
import plan

NO_DEVICE = 77
STOPS_STARTING = 510  # seconds after which no part starts
LAST = 20  # more seconds for the last part
GRACE = 5  # seconds to end after SIGTERM, in which mpirun ends its ranks


def read_options():
    parser = argparse.ArgumentParser(
        prog="gpu.sh", description="Checks Lynceus on a machine with a GPU and measures it."
    )
    parser.add_argument("output", nargs="?", help="folder for gpu.json and logs.tar.xz (results)")
    parser.add_argument("--bundle", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rehearse", action="store_true", help="run on the CPU with small sizes")
    parser.add_argument(
        "--only", action="append", metavar="PATTERN", help="parts by name, as 'figures.*'; repeatable"
    )
    parser.add_argument("--skip", action="append", default=[], metavar="PATTERN", help="parts not to run")
    parser.add_argument("--list", action="store_true", help="print the parts and their time limits")
    parser.add_argument(
        "--seconds", type=float, default=STOPS_STARTING, help="no part starts after this time (%(default)s)"
    )
    parser.add_argument(
        "--last", type=float, default=LAST, help="more seconds for the last part (%(default)s)"
    )
    return parser.parse_args()


def wanted(part, options):
    def among(patterns):
        return any(fnmatch.fnmatchcase(part.name, pattern) for pattern in patterns)

    return (options.only is None or among(options.only)) and not among(options.skip)


def lacks(part, bundle):
    """What the part needs and neither the bundle nor the machine has; "" if nothing is missing."""
    if not part.needs:
        return ""
    if os.path.exists(os.path.join(bundle, part.needs)) or shutil.which(part.needs):
        return ""
    return part.needs


def stop(process):
    """Ends the process and its children."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            continue
    return process.poll()


def last_line(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1][:400] if lines else ""


def json_lines(path):
    figures = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("{"):
                try:
                    figures.append(json.loads(line))
                except ValueError:
                    pass
    return figures


ROW_OF_VERIFY = re.compile(r"^(\S+)\s+(\S.*?)\s{2,}(\S+e[+-]\d+|nan)\s+(\d\S*e[+-]\d+)\s+(\S+)")


def rows_of_verify(path):
    """For each quantity in a table of `lynceus verify`, the row that is nearest to its tolerance."""
    nearest = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            row = ROW_OF_VERIFY.match(line)
            if row is None:
                continue
            case, quantity, error, tolerance, verdict = row.groups()
            quantity = re.sub(r"\d+ (more|of \d+ )?|\(.*\)", "", quantity).strip()
            error, tolerance = float(error), float(tolerance)
            share = error / tolerance if tolerance > 0 else float(error > 0)
            if quantity not in nearest or not share <= nearest[quantity]["share"]:
                nearest[quantity] = {
                    "quantity": quantity,
                    "case": case,
                    "error": error,
                    "tolerance": tolerance,
                    "share": round(share, 4),
                    "verdict": verdict,
                }
    return list(nearest.values())


class Kit:
    def __init__(self, options, bundle, output, device):
        self.options = options
        self.bundle = bundle
        self.output = output
        self.begin = time.monotonic()
        self.logs = os.path.join(output, "logs")
        os.makedirs(self.logs, exist_ok=True)
        self.environment = dict(os.environ)
        if options.rehearse:
            self.environment.setdefault("OMP_NUM_THREADS", "1")
        else:
            self.environment["LYNCEUS_TEST_DEVICE"] = "cuda"
        with open(os.path.join(bundle, "commit"), encoding="utf-8") as file:
            commit = file.read().strip()
        self.report = {
            "device": device,
            "host": machine.describe_host(),
            "torch": "",
            "commit": commit,
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": 0.0,
            "summary": {},
            "checks": [],
            "figures": [],
        }
        self.status = {}

    def elapsed(self):
        return time.monotonic() - self.begin

    def refusal(self, part):
        """(status, why) of a part that is not started, or None."""
        missing = lacks(part, self.bundle)
        if missing:
            return "absent", f"{missing} was not found"
        for name in part.after:
            if self.status.get(name, "passed") != "passed":
                return "not run", f"{name}: {self.status[name]}"
        if self.elapsed() > self.options.seconds:
            return "not run", f"the time was over after {self.elapsed():.0f} s"
        return None

    def execute(self, part, path):
        """Runs the command; its errors go to the log, the lines of a benchmark to a file next to it."""
        end = self.options.seconds + self.options.last
        limit = max(1.0, min(part.limit, end - self.elapsed()))
        lines = path + ".jsonl" if part.kind == "benchmark" else None
        with open(path, "wb") as log, open(lines or os.devnull, "wb") as out:
            log.write((" ".join(part.command) + "\n").encode())
            log.flush()
            try:
                process = subprocess.Popen(
                    part.command,
                    cwd=self.bundle,
                    env={**self.environment, **part.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out if lines else log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                log.write(str(error).encode())
                return "failed", 127
            try:
                code = process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                stop(process)
                return f"over {limit:.0f} s", None
        if code == part.skip_code:
            return "skipped", code
        return ("passed" if code == 0 else "failed"), code

    def run(self, part):
        entry = {"name": part.name, "status": "", "exit": None, "seconds": 0.0}
        path = os.path.join(self.logs, part.name + ".log")
        refused = self.refusal(part)
        begin = time.monotonic()
        if refused:
            entry["status"], entry["says"] = refused
        elif part.kind == "benchmark" and not self.options.rehearse:
            with machine.Clocks() as clocks:
                entry["status"], entry["exit"] = self.execute(part, path)
            entry["clocks"] = clocks.summary()
        else:
            entry["status"], entry["exit"] = self.execute(part, path)
        entry["seconds"] = round(time.monotonic() - begin, 2)
        if not refused:
            self.collect(part, entry, path)
            entry.setdefault("says", last_line(path))
        self.status[part.name] = entry["status"]
        self.report["checks"].append(entry)
        code = "" if entry["exit"] is None else f"exit {entry['exit']}"
        print(f"{part.name:36} {entry['status']:10} {code:9} {entry['seconds']:7.1f} s", flush=True)
        self.write()

    def collect(self, part, entry, path):
        """Collects the figures that a part printed, also if it failed later."""
        if part.kind == "benchmark":
            lines = json_lines(path + ".jsonl")
            if entry["status"] == "passed" and not lines:
                entry["status"], entry["says"] = "failed", "it printed no line of JSON"
        else:
            lines = json_lines(path) + rows_of_verify(path)
        self.report["figures"] += [{"part": part.name, **line} for line in lines]

    def write(self):
        summary = {}
        for status in self.status.values():
            kind = status if not status.startswith("over ") else "too long"
            summary[kind] = summary.get(kind, 0) + 1
        self.report["summary"] = summary
        self.report["seconds"] = round(self.elapsed(), 1)
        path = os.path.join(self.output, "gpu.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.report, file, indent=1)
            file.write("\n")
        os.replace(path + ".new", path)

    def compare_with_peers(self):
        """Adds the ratios of the figures to the report, if the bundle has gpu_figures.py."""
        tool = os.path.join(self.bundle, "gpu_figures.py")
        report = os.path.join(self.output, "gpu.json")
        if not self.report["figures"] or not os.path.exists(tool):
            return
        answer = subprocess.run(
            ["python3", tool, "--json", report], capture_output=True, text=True, check=False
        )
        try:
            self.report.update(json.loads(answer.stdout))
        except ValueError:
            self.report["ratios"] = (answer.stderr or "gpu_figures.py printed no JSON").strip()[-400:]
        self.write()

    def pack_logs(self):
        with tarfile.open(os.path.join(self.output, "logs.tar.xz"), "w:xz") as archive:
            archive.add(self.logs, arcname="logs")
        shutil.rmtree(self.logs)

    def exit_code(self):
        summary = self.report["summary"]
        if summary.get("failed", 0) or summary.get("too long", 0):
            return 1
        return 3 if summary.get("not run", 0) else 0


def main():
    options = read_options()
    bundle = options.bundle
    if not os.access(os.path.join(bundle, "run"), os.X_OK):
        print(f"gpu: {bundle}/run: expected an unpacked bundle (tools/gpu-kit/bundle.sh), found none")
        return 2
    device = {"name": "rehearsal (CPU)"} if options.rehearse else machine.describe_device()
    if device is None and not options.list:
        print("gpu: no GPU: nvidia-smi reports no device")
        return NO_DEVICE
    work = tempfile.mkdtemp(prefix="lynceus-kit-")
    try:
        make = plan.rehearsal_plan if options.rehearse else plan.full_plan
        parts = [part for part in make(bundle, work) if wanted(part, options)]
        if options.list:
            for part in parts:
                print(f"{part.name:36} {part.limit:5.0f} s")
            return 0
        output = os.path.abspath(options.output or os.path.join(bundle, "results"))
        kit = Kit(options, bundle, output, device)
        if any(part.kind == "benchmark" for part in parts) and not options.rehearse:
            kit.report["torch"] = machine.describe_torch()
        for part in parts:
            kit.run(part)
        kit.write()
        kit.compare_with_peers()
        kit.pack_logs()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(kit.report["summary"].items()))
    print(f"gpu: {counts} in {kit.elapsed():.0f} s: {os.path.join(output, 'gpu.json')}")
    return kit.exit_code()


if __name__ == "__main__":
    sys.exit(main())
