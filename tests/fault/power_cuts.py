"""Kills all ranks of a run at once, as a loss of power does, and leaves only what fsync had made durable: no checkpoint
that was reported is lost, none is accepted that is not intact, and the next start ends like the undisturbed run.

    power_cuts.py LYNCEUS ROOT LIBRARY [--cuts N] [--seed S] [--report FILE]

--cuts: moments in runs that save after every step (F3). LIBRARY: last_synced.cpp. Names in folders are those of the
folder's last fsync, or those of the moment: file systems may write them early. No line of a step before the checkpoint
is missing afterwards.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from rounds import RANKS, STEPS, Lab, Report, children, expect, is_gone, wait_until


def key_of(path):
    """As in last_synced.cpp."""
    text = subprocess.run(["stat", "-c", "%i %W %w", str(path)], check=True, text=True, stdout=subprocess.PIPE).stdout
    inode, seconds, birth = text.split(maxsplit=2)
    fraction = re.search(r"\.(\d{9})", birth)
    return f"{inode}-{seconds}.{fraction[1] if fraction else '0' * 9}"


def entries_of(folder, key, synced):
    """-> (key, type, name, path) of what is in a folder; `synced`: at its last fsync, else now."""
    if synced:
        names = synced / f"{key}.names"
        for line in names.read_text().splitlines() if names.exists() else ():
            child, kind, name = line.split(maxsplit=2)
            yield child, kind, name, folder / name
        return
    for path in folder.iterdir():
        kind = "l" if path.is_symlink() else "d" if path.is_dir() else "f"
        yield key_of(path), kind, path.name, path


def rebuild(folder, key, target, kept, names_are_synced):
    """Makes at `target` what is left of a folder; `kept`: the folder of the library."""
    target.mkdir()
    for child, kind, name, path in entries_of(folder, key, kept if names_are_synced else None):
        if kind == "d":
            rebuild(path, child, target / name, kept, names_are_synced)
        elif kind == "l":
            if path.is_symlink():
                os.symlink(os.readlink(path), target / name)
        else:
            data = kept / f"{child}.data"
            (target / name).write_bytes(data.read_bytes() if data.exists() else b"")


def cut(lab, library, names_are_synced):
    """-> whether it met the run before its end."""
    run = lab.new_run()
    kept, left = lab.folder / f"{run.name}-synced", lab.folder / f"{run.name}-left"
    kept.mkdir()
    options = ("--checkpoint.staging_mib", "0") if lab.random.random() < 0.5 else ()
    process, after = lab.start(run, *options, LD_PRELOAD=library, SYNCED=str(kept)), lab.random.randrange(STEPS - 1)
    wait_until(lambda: process.poll() is not None or len(lab.steps(run)) >= after, 60)
    time.sleep(lab.random.uniform(0, 0.1))
    ranks = children(process.pid)
    if process.poll() is not None or len(ranks) != RANKS or not run.exists():
        process.wait()
        return False
    for pid in (process.pid, *ranks):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()
    for rank in ranks:
        expect(wait_until(lambda rank=rank: is_gone(rank), 10), f"rank process {rank} is left")
    reported = [int(step) for step in re.findall(r"checkpoint step-(\d+): ", lab.output(run))]
    rebuild(run, key_of(run), left, kept, names_are_synced)
    shutil.rmtree(run)
    left.rename(run)
    lab.verify(run)
    newest = max(lab.committed(run), default=0)
    expect(newest >= max(reported, default=0), f"step {max(reported, default=0)} was reported, {newest} is the newest")
    lab.start(run).wait()
    output = lab.output(run)
    expect(f"resumed from step {newest}," in output if newest else "resumed from" not in output,
           f"expected to resume from step {newest}\n{output}")
    expect(lab.result(run) == lab.straight, "another result")
    hidden = [path.name for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]
    expect(not hidden, f"left over: {hidden}")
    shutil.rmtree(kept)
    lab.remove(run)
    return True


def cut_once(lab, library, names_are_synced):
    while not cut(lab, library, names_are_synced):
        pass


def main():
    parser = argparse.ArgumentParser()
    for name in ("lynceus", "root", "library"):
        parser.add_argument(name)
    for name, count in (("--cuts", 300), ("--seed", 1)):
        parser.add_argument(name, type=int, default=count)
    parser.add_argument("--report")
    arguments = parser.parse_args()
    lab = Lab(arguments.lynceus, arguments.root, arguments.seed, every=1)
    report = Report("power_cuts", arguments.seed)
    try:
        for number in range(arguments.cuts):
            report.round("F3", cut_once, lab, arguments.library, number % 2 == 0)
    finally:
        lab.close()
    return report.finish(arguments.report)


if __name__ == "__main__":
    sys.exit(main())
