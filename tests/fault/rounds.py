"""What the counted tests of faults share: a small run on two ranks, what must hold of a run directory after a fault,
and the report with its bounds.

A bound is the largest rate of faults that N rounds with F faults leave possible at 95 % (Clopper and Pearson, 1934).
"""

import json
import math
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

RANKS = 2
STEPS = 12
EVERY = 3  # steps between checkpoints


def upper_bound(faults, rounds):
    """The p at which `faults` or fewer in `rounds` have a probability of 5 %."""
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        chance = sum(math.comb(rounds, i) * p**i * (1 - p)**(rounds - i) for i in range(faults + 1))
        low, high = (p, high) if chance > 0.05 else (low, p)
    return high


class Fault(Exception):
    """What did not hold."""


def expect(holds, text):
    if not holds:
        raise Fault(text)


class Lab:
    """A folder with data, and the undisturbed run. `ranks`, `options`: of every run."""

    def __init__(self, lynceus, root, seed, steps=STEPS, every=EVERY, ranks=RANKS, options=()):
        self.steps_of_run, self.every, self.ranks, self.options = steps, every, ranks, list(options)
        self.lynceus, self.root = str(pathlib.Path(lynceus).resolve()), pathlib.Path(root)
        self.random = random.Random(seed)
        self.seed = seed
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lynceus-rounds-"))
        self.environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                                OMP_NUM_THREADS="1", OMPI_MCA_odls_base_sigkill_timeout="1")
        # Programs outside mpirun share a folder for their session files by default, and one that ends removes it.
        self.environment.setdefault("OMPI_MCA_orte_tmpdir_base", str(self.folder))
        self.number = 0
        subprocess.run([self.lynceus, "prepare", "shapes", "--seed", "5", "--count", "24", "--train-tokenizer", "320",
                        "--output", str(self.folder / "data")], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env=self.environment)
        straight = self.folder / "straight"
        done = self.start(straight).wait()
        expect(done == 0, f"the undisturbed run: exit code {done}\n{self.output(straight)}")
        self.straight = self.result(straight)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, run, *options):
        data = self.folder / "data"
        return [self.lynceus, "train", "--config",
                str(self.root / "tests/data/micro.ini"), "--run", str(run), "--data.tokenizer",
                str(data / "tokenizer.model"), "--data.source", f"c:1:{data}/train-captions.h5", "--parallel.tensor",
                str(RANKS), "--train.steps", str(self.steps_of_run), "--checkpoint.every", str(self.every), *self.options,
                *options]

    def start(self, run, *options, ranks=None, prefix=(), by_mpirun=True, **variables):
        """A later option replaces an earlier one. `prefix`: what executes the command after it."""
        ranks = str(self.ranks if ranks is None else ranks)
        command = self.command(run, *options)
        command = ["mpirun", "--oversubscribe", "-n", ranks] + command if by_mpirun else command + ["--ranks", ranks]
        with open(str(run) + ".out", "wb") as log:
            return subprocess.Popen([*prefix, *command], stdout=log, stderr=subprocess.STDOUT,
                                    env=dict(self.environment, **variables))

    def output(self, run):
        return pathlib.Path(str(run) + ".out").read_text(errors="replace")

    def new_run(self):
        self.number += 1
        return self.folder / f"run-{self.number}"

    def remove(self, run):
        shutil.rmtree(run, ignore_errors=True)
        pathlib.Path(str(run) + ".out").unlink(missing_ok=True)

    def steps(self, run):
        """The steps in metrics.jsonl that are complete, without times."""
        try:
            lines = (run / "metrics.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        keys = ("step", "samples_seen", "loss", "scored_tokens", "grad_norm", "lr")
        objects = []
        for line in lines:
            try:
                objects.append(json.loads(line))
            except ValueError:  # a rank died while it wrote
                break
        return [tuple(item[key] for key in keys) for item in objects if item["kind"] == "step"]

    def result(self, run):
        """All that must be equal in the end."""
        manifest = json.loads((run / f"checkpoints/step-{self.steps_of_run:08}/MANIFEST.json").read_text())
        return (manifest["tensors"], manifest["parameter_steps"], self.steps(run))

    def committed(self, run):
        return sorted(int(path.parent.name[5:]) for path in run.glob("checkpoints/step-*/MANIFEST.json"))

    def verify(self, run):
        """Every committed checkpoint is intact."""
        for step in self.committed(run):
            checkpoint = run / f"checkpoints/step-{step:08}"
            done = subprocess.run([self.lynceus, "inspect", str(checkpoint), "--verify"], text=True, env=self.environment,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            expect(done.returncode == 0, f"{checkpoint.name} is damaged: {done.stdout}")

    def resume_and_compare(self, run, lost_at_most):
        """A start without faults ends like the undisturbed run; -> the step that it resumed from."""
        done_before, newest = len(self.steps(run)), max(self.committed(run), default=0)
        code = self.start(run).wait()
        output = self.output(run)
        expect(code == 0, f"the next start: exit code {code}\n{output}")
        expect(f"resumed from step {newest}," in output if newest else "resumed from" not in output,
               f"expected to resume from step {newest}\n{output}")
        expect("is skipped" not in output, f"a committed checkpoint was not intact\n{output}")
        expect(done_before - newest <= lost_at_most, f"{done_before} steps were done, {newest} were kept")
        expect(self.result(run) == self.straight, "the result differs from that of the undisturbed run")
        left = [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]
        expect(not left, f"left over: {left}")
        return newest


def children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            pass
    return found


def is_gone(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def wait_until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


class Report:
    """Counts the rounds of a test by row: the fault, as a table of faults names it."""

    def __init__(self, test, seed):
        self.test, self.seed = test, seed
        self.begin = time.monotonic()
        self.rows = {}

    def round(self, row, function, *arguments):
        entry = self.rows.setdefault(row, {"row": row, "rounds": 0, "faults": 0})
        entry["rounds"] += 1
        try:
            function(*arguments)
            return True
        except Fault as fault:
            entry["faults"] += 1
            print(f"{row}, round {entry['rounds']}, {arguments}: {fault}", flush=True)
            return False

    def finish(self, path):
        """Prints one line of JSON, and writes it to the file at `path` (None: none); -> the exit code."""
        for entry in self.rows.values():
            entry["rate_below"] = round(upper_bound(entry["faults"], entry["rounds"]), 5)
        line = json.dumps({"test": self.test, "seed": self.seed, "seconds": round(time.monotonic() - self.begin, 1),
                           "rows": list(self.rows.values())})
        print(line, flush=True)
        if path:
            file = pathlib.Path(path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(line + "\n")
        return 1 if any(entry["faults"] for entry in self.rows.values()) or not self.rows else 0
