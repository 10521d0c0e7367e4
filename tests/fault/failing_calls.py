"""Lets the n-th write, fsync, rename or ftruncate of a run's checkpoints fail, for n = 1, 2, ... until a run makes fewer
such calls (as SQLite is tested), and the n-th write of its other files. Each time no checkpoint is wrongly accepted,
the run either goes on and ends like the undisturbed one, or ends with exit code 4 and one message, and the next start
ends like the undisturbed one.

    failing_calls.py LYNCEUS ROOT LIBRARY [--most N] [--stride N] [--row ROW] [--file NAME] [--by-turns] [--seed S]
                     [--report FILE]

ENOSPC is row F8; EIO, EDQUOT, a failing fsync or rename, EINTR and short writes are row F9. --most: at most so many
calls for each kind; --stride: only every N-th; --row, --file: only these; --by-turns: each kind on one of the ranks.
"""

import argparse
import errno
import subprocess
import sys

from rounds import RANKS, Fault, Lab, Report, expect

# Three saves after the trial save, of few tensors: each call fails once in the whole sweep.
STEPS = 3
SMALL = ("--model.train", "adapter", "--adapter.every", "2")
SECONDS_TO_END = 120

CHECKPOINTS = "checkpoints"
OTHERS = ("metrics.jsonl", "LEASE.json", "incarnations.jsonl", "summary.json", "config.ini")
# Row, call, errno, whether a write is short, whether the program must not notice it.
KINDS = (("F8", "write", errno.ENOSPC, False, False), ("F8", "ftruncate", errno.ENOSPC, False, False),
         ("F9", "fsync", errno.EIO, False, False), ("F9", "rename", errno.EIO, False, False),
         ("F9", "write", errno.EIO, False, False), ("F9", "write", errno.EDQUOT, False, False),
         ("F9", "write", errno.EINTR, False, True), ("F9", "write", 0, True, True))


class Sweep:
    def __init__(self, lab, library):
        self.lab, self.library = lab, library
        self.fired = False

    def one(self, file, call, number, short, unnoticed, rank, nth):
        """`fired`: the run made the call."""
        lab, run = self.lab, self.lab.new_run()
        process = lab.start(run, LD_PRELOAD=self.library, FAIL_CALL=call, FAIL_NTH=str(nth), FAIL_ERRNO=str(number),
                            FAIL_SHORT="1" if short else "0", FAIL_PATH=f"{run.name}/{file}", FAIL_RANK=str(rank))
        try:
            code = process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.terminate()  # mpirun ends its ranks
            process.wait()
            raise Fault(f"no end within {SECONDS_TO_END} s\n{lab.output(run)}") from None
        output = lab.output(run)
        self.fired = "[failed on purpose" in output
        expect(code == 0 or (self.fired and code == 4), f"exit code {code}\n{output}")
        messages = sum(line.startswith("lynceus: ") for line in output.splitlines())
        expect(messages == (1 if code == 4 else 0), f"{messages} messages\n{output}")
        expect(not unnoticed or code == 0, f"exit code {code}\n{output}")
        lab.verify(run)
        if code == 0:
            expect(lab.result(run) == lab.straight, "the result differs from that of the undisturbed run")
        lab.resume_and_compare(run, STEPS)
        lab.remove(run)


def main():
    parser = argparse.ArgumentParser()
    for name in ("lynceus", "root", "library"):
        parser.add_argument(name)
    for name, count in (("--most", 100000), ("--stride", 1), ("--seed", 1)):
        parser.add_argument(name, type=int, default=count)
    parser.add_argument("--row")
    parser.add_argument("--file")
    parser.add_argument("--by-turns", action="store_true")
    parser.add_argument("--report")
    arguments = parser.parse_args()
    lab = Lab(arguments.lynceus, arguments.root, arguments.seed, steps=STEPS, every=1, options=SMALL)
    report = Report("failing_calls", arguments.seed)
    sweep = Sweep(lab, arguments.library)
    try:
        sweeps = [(CHECKPOINTS, kind) for kind in KINDS] + [(file, KINDS[0]) for file in OTHERS]
        for turn, (file, (row, call, number, short, unnoticed)) in enumerate(sweeps):
            if arguments.row not in (None, row) or arguments.file not in (None, file):
                continue
            ranks = range(RANKS if file == CHECKPOINTS else 1)
            for rank in [turn % len(ranks)] if arguments.by_turns else ranks:
                # The offset makes a sweep with a stride meet other calls on each rank.
                first = 1 + lab.random.randrange(arguments.stride)
                for nth in range(first, first + arguments.most * arguments.stride, arguments.stride):
                    report.round(row, sweep.one, file, call, number, short, unnoticed, rank, nth)
                    if not sweep.fired:
                        print(f"{row} {call} {errno.errorcode.get(number, 'short')} in {file} on rank {rank}: up to {nth}",
                              flush=True)
                        break
    finally:
        lab.close()
    return report.finish(arguments.report)


if __name__ == "__main__":
    sys.exit(main())
