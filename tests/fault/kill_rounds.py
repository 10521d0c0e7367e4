"""Kills one of two ranks in the middle of a step and in every phase of a save, and checks each time that the job ends
at once, that no process is left, that every committed checkpoint is intact, and that the next start ends like the
undisturbed run, to the bit.

    kill_rounds.py LYNCEUS ROOT [--steps N] [--phases N] [--times N] [--seed S] [--report FILE]

--steps: kills at random moments between saves (F1); --phases: at the fault points of a save; --times: at random
moments of a run that saves after every step (F2).
"""

import argparse
import os
import signal
import sys
import time

from rounds import EVERY, RANKS, STEPS, Lab, Report, children, expect, is_gone, wait_until

SECONDS_TO_END = 10
ANY_RANK = ("begin", "created", "write", "before_flush", "before_close", "closed")
FIRST_RANK = ("staged", "before_manifest", "before_rename", "after_rename", "before_retention")


def expect_end(process, ranks, since):
    """The job ends in time with an error, and its ranks with it."""
    left = SECONDS_TO_END - (time.monotonic() - since)
    expect(wait_until(lambda: process.poll() is not None, left), "the job did not end")
    expect(process.returncode != 0, "exit code 0")
    for rank in ranks:
        expect(wait_until(lambda rank=rank: is_gone(rank), since + SECONDS_TO_END - time.monotonic()),
               f"rank process {rank} is left")


def kill_at(lab, options, after_steps, delay):
    """-> (process, ranks, time of the kill), or None if the run was faster."""
    run = lab.new_run()
    process = lab.start(run, *options)
    wait_until(lambda: process.poll() is not None or len(lab.steps(run)) >= after_steps, 60)
    time.sleep(delay)
    ranks = children(process.pid)
    if process.poll() is not None or len(ranks) != RANKS:
        process.wait()
        lab.remove(run)
        return None
    since = time.monotonic()
    try:
        os.kill(lab.random.choice(ranks), signal.SIGKILL)
    except ProcessLookupError:
        process.wait()
        lab.remove(run)
        return None
    return run, process, ranks, since


def check(lab, run, lost_at_most):
    lab.verify(run)
    lab.resume_and_compare(run, lost_at_most)
    lab.remove(run)


def manner(lab, every):
    """Training waits for saves, or goes on -> options, and the most steps that a kill may lose."""
    if lab.random.random() < 0.5:
        return ("--checkpoint.staging_mib", "0"), every
    # Here a save takes longer than the steps between two: none may be committed until the next is due.
    return (), 2 * every


def random_kill(lab, every):
    """A run that ends before the kill is repeated."""
    options, lost_at_most = manner(lab, every)
    killed = None
    while killed is None:
        killed = kill_at(lab, (*options, "--checkpoint.every", str(every)), lab.random.randrange(0, STEPS - 1), lab.random.uniform(0, 0.05))
    run, process, ranks, since = killed
    expect_end(process, ranks, since)
    # A checkpoint that was being saved at that moment is lost too.
    check(lab, run, lost_at_most)


def phase_kill(lab, point, rank, nth):
    run = lab.new_run()
    options, lost_at_most = manner(lab, EVERY)
    process = lab.start(run, *options, LYNCEUS_FAULT=f"checkpoint.{point}@{rank}#{nth}=kill")
    ranks = set()

    def has_ended():
        ranks.update(children(process.pid))
        return process.poll() is not None

    expect(wait_until(has_ended, 60), "the fault point was not reached in time")
    expect_end(process, ranks, time.monotonic())
    check(lab, run, lost_at_most)


def phases():
    """Every point, rank and visit in a run of four saves; the first visit is that of the trial save."""
    for nth in (2, 3, 4, 1):
        for point in ANY_RANK:
            for rank in range(RANKS):
                yield point, rank, nth
        for point in FIRST_RANK:
            if point != "before_retention" or nth < 4:
                yield point, 0, nth
    yield "removing", 0, 1
    yield "removing", 0, 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lynceus")
    parser.add_argument("root")
    for name, count in (("--steps", 200), ("--phases", 300), ("--times", 200), ("--seed", 1)):
        parser.add_argument(name, type=int, default=count)
    parser.add_argument("--report")
    arguments = parser.parse_args()
    lab = Lab(arguments.lynceus, arguments.root, arguments.seed)
    report = Report("kill_rounds", arguments.seed)
    try:
        for _ in range(arguments.steps):
            report.round("F1", random_kill, lab, EVERY)
        known = list(phases())
        for i in range(arguments.phases):
            report.round("F2", phase_kill, lab, *known[i % len(known)])
        for _ in range(arguments.times):
            report.round("F2", random_kill, lab, 1)
    finally:
        lab.close()
    return report.finish(arguments.report)


if __name__ == "__main__":
    sys.exit(main())
