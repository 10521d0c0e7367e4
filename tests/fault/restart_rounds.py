"""Damages checkpoints, stops runs after any step and continues them, on the same grid and on another.

    restart_rounds.py LYNCEUS ROOT [--flips N] [--steps N] [--pairs N] [--seed S] [--report FILE]

--flips: bits of a committed checkpoint, each found by `inspect --verify`; the start after every 20th falls back to the
older checkpoint and ends like the undisturbed run (F10). --steps: stops after this many different steps, continued on
the same grid, bit-equal (F11). --pairs: grids of at most four ranks, stopped on the first and continued on the second:
the same samples, and losses within 1e-5 (F12).
"""

import argparse
import itertools
import pathlib
import shutil
import subprocess
import sys

from rounds import EVERY, STEPS, Lab, Report, expect

GRIDS = [grid for grid in itertools.product((1, 2), (1, 2), (1, 2, 4)) if grid[0] * grid[1] * grid[2] <= 4]
FLIPS_A_START = 20


def options_of(grid):
    return [text for name, size in zip(("tensor", "pipeline", "data"), grid) for text in (f"--parallel.{name}", str(size))]


def ranks_of(grid):
    return grid[0] * grid[1] * grid[2]


def run_to_the_end(lab, run, *options, ranks):
    code = lab.start(run, *options, ranks=ranks).wait()
    expect(code == 0, f"exit code {code}\n{lab.output(run)}")


def flip(lab, number):
    run = lab.new_run()
    shutil.copytree(lab.folder / "straight", run, symlinks=True)
    newest = run / f"checkpoints/step-{STEPS:08}"
    # state.h5 is the larger one.
    file = newest / lab.random.choice(("state.h5", "state.h5", "MANIFEST.json"))
    data = bytearray(file.read_bytes())
    bit = lab.random.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)
    done = subprocess.run([lab.lynceus, "inspect", str(newest), "--verify"], text=True, env=lab.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    expect(done.returncode == 3, f"bit {bit} of {file.name}: inspect --verify: exit code {done.returncode}\n{done.stdout}")
    if number % FLIPS_A_START == 0:
        run_to_the_end(lab, run, ranks=2)
        output = lab.output(run)
        expect(f"resumed from step {STEPS - EVERY}," in output, f"bit {bit} of {file.name}: expected the older one\n{output}")
        expect(newest.name in output, f"bit {bit} of {file.name}: the damaged one is not named\n{output}")
        expect(lab.result(run) == lab.straight, f"bit {bit} of {file.name}: another result")
    lab.remove(run)


def stop_after(lab, step):
    run = lab.new_run()
    run_to_the_end(lab, run, "--stop-after", str(step), ranks=2)
    run_to_the_end(lab, run, ranks=2)
    output = lab.output(run)
    expect(f"resumed from step {step}," in output, f"expected to resume from step {step}\n{output}")
    expect(lab.result(run) == lab.straight, "another result")
    lab.remove(run)


def change_grid(lab, first, second):
    run = lab.new_run()
    half = STEPS // 2
    run_to_the_end(lab, run, *options_of(first), "--stop-after", str(half), ranks=ranks_of(first))
    run_to_the_end(lab, run, *options_of(second), ranks=ranks_of(second))
    steps, expected = lab.steps(run), lab.straight[2]
    expect(len(steps) == STEPS, f"{len(steps)} steps")
    for mine, theirs in zip(steps, expected):
        expect(mine[:2] == theirs[:2] and mine[3] == theirs[3], f"step {theirs[0]}: other samples")
        expect(abs(mine[2] / theirs[2] - 1) < 1e-5, f"step {theirs[0]}: loss {mine[2]}, expected {theirs[2]}")
    lab.remove(run)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lynceus")
    parser.add_argument("root", type=pathlib.Path)
    for name, count in (("--flips", 1000), ("--steps", STEPS - 1), ("--pairs", len(GRIDS)**2), ("--seed", 1)):
        parser.add_argument(name, type=int, default=count)
    parser.add_argument("--report")
    arguments = parser.parse_args()
    lab = Lab(arguments.lynceus, arguments.root, arguments.seed)
    report = Report("restart_rounds", arguments.seed)
    try:
        for number in range(arguments.flips):
            report.round("F10", flip, lab, number)
        for step in lab.random.sample(range(1, STEPS), min(arguments.steps, STEPS - 1)):
            report.round("F11", stop_after, lab, step)
        pairs = list(itertools.product(GRIDS, GRIDS))
        for first, second in lab.random.sample(pairs, min(arguments.pairs, len(pairs))):
            report.round("F12", change_grid, lab, first, second)
    finally:
        lab.close()
    return report.finish(arguments.report)


if __name__ == "__main__":
    sys.exit(main())
