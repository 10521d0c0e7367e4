"""Runs that hang, are slow, compute something else or lose their launcher or their disk: what watches over a run finds
it, says it in one message, and the next start ends like the undisturbed run, to the bit.

    detector_rounds.py LYNCEUS ROOT LIBRARY [--hangs N] [--stragglers N] [--nans N] [--flips N] [--launchers N]
                       [--disks N] [--slow N] [--delay SECONDS] [--clean N] [--seed S] [--report FILE]

--hangs: a rank waits for ever, is stopped by a signal or calls another collective: named, exit code 124 (F13).
--stragglers: a rank is stopped most of the time: named within 50 steps (F14). --nans: a gradient or result of one rank
is NaN, under each policy (F15). --flips: a bit of one of three replicas (F16). --launchers: mpirun or --ranks is killed:
its ranks end (F7). --disks: the run directory vanishes or is read-only: exit code 4; --slow: one of its calls takes
--delay seconds: no watchdog fires (F22). --clean: five minutes each in which nothing is found.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from rounds import EVERY, STEPS, Lab, Report, children, expect, is_gone, wait_until

REPLICAS = 3
SECONDS_TO_END = 60
LIMIT = 3  # seconds in a section
WATCHED = [text for section in ("data", "step", "checkpoint", "evaluate")
           for text in (f"--watchdog.{section}", str(LIMIT))] + ["--watchdog.slow_factor", "0"]
TWO = ("--parallel.data", "2")
SIGNS = ("watchdog: ", " is slow", "trained parameters differ", "not finite")
CLEAN_HOURS = 5 / 60


def end_of(lab, process, run, ranks=()):
    """-> exit code; no process is left."""
    try:
        code = process.wait(timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        for rank in ranks:
            if not is_gone(rank):
                os.kill(rank, signal.SIGKILL)
        expect(False, f"no end within {SECONDS_TO_END} s\n{lab.output(run)}")
    for rank in ranks:
        expect(wait_until(lambda rank=rank: is_gone(rank), 10), f"rank process {rank} is left")
    return code


def expect_message(lab, run, code, expected):
    """The run ended with this exit code and one message. -> the message."""
    output = lab.output(run)
    expect(code == expected, f"exit code {code}, expected {expected}\n{output}")
    messages = re.findall(r"^lynceus: .*(?:\n  .*)*", output, re.M)
    expect(len(messages) == 1, f"{len(messages)} messages\n{output}")
    return messages[0]


def rank_of(pid):
    variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(int(text.split(b"=")[1]) for text in variables if text.startswith(b"OMPI_COMM_WORLD_RANK="))


def ranks_after(lab, run, process, steps):
    """-> {rank: process} after so many steps."""
    expect(wait_until(lambda: process.poll() is not None or len(lab.steps(run)) >= steps, SECONDS_TO_END),
           f"no step {steps}\n{lab.output(run)}")
    expect(process.poll() is None, f"ended before step {steps}\n{lab.output(run)}")
    return {rank_of(pid): pid for pid in children(process.pid)}


def finish(lab, run, lost_at_most):
    lab.verify(run)
    lab.resume_and_compare(run, lost_at_most)
    lab.remove(run)


def hang(lab, manner):
    """`manner`: an action of a fault point, or "signal"."""
    run, rank, step = lab.new_run(), lab.random.randrange(REPLICAS), lab.random.randrange(2, STEPS - 1)
    if manner == "signal":
        # Slow enough that the signal meets the run before its end.
        process = lab.start(run, *WATCHED, LYNCEUS_FAULT="step.before_reduce#1-99=slow")
        ranks = ranks_after(lab, run, process, step)
        os.kill(ranks[rank], signal.SIGSTOP)
    else:
        point = "watch.another_call" if manner == "do" else lab.random.choice(("step.before_reduce", "watch.step"))
        process = lab.start(run, *WATCHED, LYNCEUS_FAULT=f"{point}@{rank}#{step}={manner}")
        ranks = ranks_after(lab, run, process, 1)
    message = expect_message(lab, run, end_of(lab, process, run, ranks.values()), 124)
    named = re.search(r": (?:the ranks wait for each other: )?rank (\d+) \(", message)
    expect("watchdog: no progress for " in message and named and int(named[1]) == rank, f"not rank {rank}: {message}")
    finish(lab, run, 2 * EVERY)


def hold_back(pid, over):
    """The process is stopped for 60 of every 63 ms."""
    try:
        while not over.wait(0.003):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.060)
            os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def straggle(lab):
    """One of two ranks is held back for at most 60 steps."""
    run, rank = lab.new_run(), lab.random.randrange(2)
    # Steps are longer than a cycle. Only the last is saved.
    process = lab.start(run, *TWO, "--train.steps", "120", "--train.global_batch_size", "24", "--checkpoint.every", "0",
                        ranks=2)
    ranks = ranks_after(lab, run, process, lab.random.randrange(5, 15))
    begin, named, over = len(lab.steps(run)), None, threading.Event()
    thread = threading.Thread(target=hold_back, args=(ranks[rank], over))
    thread.start()
    while named is None and process.poll() is None and len(lab.steps(run)) < begin + 60:
        time.sleep(0.1)
        named = re.search(r"rank (\d+) \([^)]*\) is slow: .* in steps \d+ to (\d+)", lab.output(run))
    over.set()
    thread.join()
    code = end_of(lab, process, run, ranks.values())
    output = lab.output(run)
    expect(code == 0, f"exit code {code}\n{output}")
    expect(named is not None, f"rank {rank} was not named from step {begin} on\n{output}")
    expect(int(named[1]) == rank and int(named[2]) <= begin + 50, f"rank {rank}, slow from step {begin} on: {named[0]}")
    lab.remove(run)


def nan(lab, policy, point):
    run, rank, step = lab.new_run(), lab.random.randrange(REPLICAS), lab.random.randrange(2, STEPS)
    process = lab.start(run, "--train.nonfinite", policy, "--train.digest_every", "1",
                        LYNCEUS_FAULT=f"step.{point}@{rank}#{step}=do")
    code = end_of(lab, process, run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    reports = [line for line in lines if line["kind"] == "nonfinite"]
    place = "backward" if point == "gradient" else "forward"
    expect([(line["step"], line["ranks"], line["policy"], line["place"]) for line in reports]
           == [(step, [rank], policy, place)], f"expected {place} on rank {rank} in step {step}: {reports}\n{lab.output(run)}")
    expect(reports[0]["samples"] and (reports[0]["parameters"] or point == "output"), f"nothing named: {reports}")
    if policy == "stop":
        message = expect_message(lab, run, code, 5)
        expect(f"the checkpoint of step {step - 1} has the last good state" in message, message)
        finish(lab, run, 0)
        return
    expect(code == 0, f"exit code {code}\n{lab.output(run)}")
    expect(len(lab.steps(run)) == STEPS, f"{len(lab.steps(run))} steps")
    lab.verify(run)
    manifest = json.loads((run / f"checkpoints/step-{STEPS:08}/MANIFEST.json").read_text())
    expect([(left["step"], left["policy"]) for left in manifest["left_out"]] == [(step, policy)], manifest["left_out"])
    lab.remove(run)


def flip(lab):
    run, rank, step = lab.new_run(), lab.random.randrange(REPLICAS), lab.random.randrange(1, STEPS + 1)
    every = lab.random.randrange(1, 5)
    visit = step + (step - 1) // EVERY  # the point is reached after each step and before each save
    process = lab.start(run, "--train.digest_every", str(every), LYNCEUS_FAULT=f"watch.flip_bit@{rank}#{visit}=do")
    message = expect_message(lab, run, end_of(lab, process, run), 5)
    found = min(-(-step // unit) * unit for unit in (every, EVERY))
    expect(f"step {found}: trained parameters differ" in message and f" on rank {rank} (rank {rank}: " in message,
           f"rank {rank}, flipped after step {step}, expected after step {found}: {message}")
    newest = max(lab.committed(run), default=0)
    expect(f"the checkpoint of step {newest}," in message if newest else "the beginning" in message,
           f"step {newest} is the newest: {message}")
    finish(lab, run, EVERY)


def lose_launcher(lab, with_ranks):
    """The ranks have steps of four seconds when their launcher dies."""
    run, step = lab.new_run(), lab.random.randrange(1, STEPS - 3)
    process = lab.start(run, by_mpirun=not with_ranks,
                        LYNCEUS_FAULT=f"step.before_reduce#{step + 1}-99=delay")
    expect(wait_until(lambda: process.poll() is not None or len(lab.steps(run)) >= step, SECONDS_TO_END), lab.output(run))
    parent = process.pid
    if with_ranks:
        (parent,) = children(process.pid)
    ranks = children(parent)
    expect(len(ranks) == REPLICAS, f"{len(ranks)} ranks\n{lab.output(run)}")
    process.kill()
    process.wait()
    left = [rank for rank in ranks if not wait_until(lambda rank=rank: is_gone(rank), 10)]
    for rank in left:
        os.kill(rank, signal.SIGKILL)
    expect(not left, f"{len(left)} ranks are left\n{lab.output(run)}")
    finish(lab, run, 2 * EVERY)


def in_namespace(folder, real, action):
    """A shell that sees `real` at `folder`, and runs the command after it."""
    return ["unshare", "-Urm", "sh", "-c", f"mount --bind {real} {folder} && {action} && exec \"$@\"", "-"]


def lose_disk(lab, manner):
    """The folder of runs vanishes after some steps, or is read-only from the start on."""
    run = lab.new_run()
    folder, real, trigger = lab.folder / "mount", lab.folder / f"{run.name}-disk", lab.folder / f"{run.name}-now"
    folder.mkdir(exist_ok=True)
    real.mkdir()
    kept, seen = real / run.name, folder / run.name
    if manner == "read-only" and lab.random.random() < 0.5:
        expect(lab.start(kept, "--stop-after", str(EVERY)).wait() == 0, lab.output(kept))
    action = f"mount -o remount,bind,ro {folder}"
    if manner == "vanished":
        action = f"{{ (while [ ! -e {trigger} ] && kill -0 $$; do sleep 0.01; done; umount -l {folder}) & }}"
    process = lab.start(run, "--run", str(seen), prefix=in_namespace(folder, real, action),
                        LYNCEUS_FAULT="step.before_reduce#1-99=slow")
    if manner == "vanished":
        expect(wait_until(lambda: process.poll() is not None or len(lab.steps(kept)) >= 4, SECONDS_TO_END), lab.output(run))
        trigger.touch()
    message = expect_message(lab, run, end_of(lab, process, run), 4)
    expect(str(seen) in message or "step 12 could not be saved" in message, f"the folder is not named: {message}")
    expect("another process" not in message, f"nobody took the run: {message}")
    expect(not any(folder.iterdir()), "files were written into the empty folder")
    lab.verify(kept)
    lab.resume_and_compare(kept, STEPS)
    shutil.rmtree(real)
    lab.remove(run)


def slow_disk(lab, library, seconds):
    """One call of a file takes long; a step may take less. -> whether the run made the call."""
    run, rank = lab.new_run(), lab.random.randrange(REPLICAS)
    file, call = lab.random.choice((("checkpoints", "write"), ("checkpoints", "fsync"), ("checkpoints", "rename"),
                                    ("metrics.jsonl", "write"), ("LEASE.json", "rename")))
    if file != "checkpoints" or call == "rename":
        rank = 0
    options = []
    for name in ("checkpoint", "data"):
        options += [f"--watchdog.{name}", str(seconds + 30)]
    process = lab.start(run, *WATCHED, *options, LD_PRELOAD=library, FAIL_CALL=call, FAIL_DELAY=str(seconds),
                        FAIL_NTH=str(lab.random.randrange(1, 4)), FAIL_PATH=f"{run.name}/{file}", FAIL_RANK=str(rank))
    code = process.wait(timeout=SECONDS_TO_END + seconds)
    output = lab.output(run)
    expect(code == 0, f"{call} of {file}: exit code {code}\n{output}")
    expect(not any(sign in output for sign in SIGNS), f"{call} of {file}\n{output}")
    expect(lab.result(run) == lab.straight, "another result")
    lab.remove(run)
    return "[delayed on purpose" in output


def slow_disk_once(lab, library, seconds):
    """Not every file has as many calls."""
    while not slow_disk(lab, library, seconds):
        pass


def stay_quiet(lab):
    run = lab.new_run()
    process = lab.start(run, *TWO, "--watchdog.step", "10", "--watchdog.data", "10", "--watchdog.checkpoint", "30",
                        "--train.digest_every", "1", "--train.nonfinite", "skip", "--checkpoint.every", "500",
                        "--train.steps", "100000000", "--train.max_hours", str(CLEAN_HOURS), ranks=2)
    code = process.wait()
    output = lab.output(run)
    expect(code == 75, f"exit code {code}\n{output}")
    expect(not any(sign in output for sign in SIGNS), output)
    lab.verify(run)
    print(f"clean: {len(lab.steps(run))} steps", flush=True)
    lab.remove(run)


def may_mount():
    if subprocess.run(["unshare", "-Urm", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return True
    print("no user namespaces here: the rounds of --disks are left out", flush=True)
    return False


def rounds_of(arguments):
    """-> (row, function, its arguments) of all rounds."""
    for number in range(arguments.hangs):
        yield "F13", hang, ("signal", "hang", "do", "pause")[number % 4]
    for _ in range(arguments.stragglers):
        yield "F14", straggle
    for number in range(arguments.nans):
        yield "F15", nan, ("rollback", "skip", "stop")[number % 3], ("output", "gradient")[number // 3 % 2]
    for _ in range(arguments.flips):
        yield "F16", flip
    for number in range(arguments.launchers):
        yield "F7", lose_launcher, number % 2 == 1
    for number in range(arguments.disks if may_mount() else 0):
        yield "F22", lose_disk, ("vanished", "read-only")[number % 2]
    for _ in range(arguments.slow):
        yield "F22", slow_disk_once, arguments.library, arguments.delay
    for _ in range(arguments.clean):
        yield "clean", stay_quiet


def main():
    parser = argparse.ArgumentParser()
    for name in ("lynceus", "root", "library"):
        parser.add_argument(name)
    for name, count in (("--hangs", 40), ("--stragglers", 20), ("--nans", 60), ("--flips", 40), ("--launchers", 20),
                        ("--disks", 20), ("--slow", 10), ("--delay", 30), ("--clean", 12), ("--seed", 1)):
        parser.add_argument(name, type=int, default=count)
    parser.add_argument("--report")
    arguments = parser.parse_args()
    lab = Lab(arguments.lynceus, arguments.root, arguments.seed, ranks=REPLICAS,
              options=("--parallel.tensor", "1", "--parallel.data", str(REPLICAS)))
    report = Report("detector_rounds", arguments.seed)
    try:
        for row, function, *more in rounds_of(arguments):
            report.round(row, function, lab, *more)
    finally:
        lab.close()
    return report.finish(arguments.report)


if __name__ == "__main__":
    sys.exit(main())
