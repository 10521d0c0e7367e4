"""One training step of the `mid` preset: the trainer, PyTorch and the machine's ceiling, alternating.

    python3 bench/compare_step.py                      the trainer against Debian's PyTorch
    python3 bench/compare_step.py --newest-python P    and against the PyTorch of the Python P
    python3 bench/compare_step.py --check              exit 1 below the promised figures

Each program stays resident and takes one step for each line it gets on stdin, answering with
seconds (the ceiling with GFLOP/s), so that all of them run under the same conditions:
three steps each to warm up, then rounds in which each takes one step, in rotating order. Medians
are reported with their spread; `share` is the required work of a sample times samples per second
over the ceiling's median. The trainer runs with an empty environment; the peers get
OPENBLAS_CORETYPE so that they are fast too. Writes bench/results/step-mid-cpu.json and prints the
table.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
# Required work of one sample of `mid`: ViT forward, LLM forward and input gradients, three times
# the forward for trained parts.
GFLOP_PER_SAMPLE = 51.15
TOKENS_PER_SAMPLE = 64
PROMISED_SPEEDUP, PROMISED_SHARE = 1.2, 0.75
# The threads of the previous program spin for a moment after their last parallel region.
PAUSE_SECONDS = 0.2


class Program:
    """A resident program that answers one line for each line it is sent."""

    def __init__(self, name, command, environment):
        self.name, self.values, self.peak_mib = name, [], None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment, text=True)

    def ask(self):
        try:
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        try:
            return float(answer)
        except ValueError:
            raise SystemExit(f"compare_step: {self.name} answered {answer!r} instead of a number "
                             f"(exit status {self.process.poll()})") from None

    def close(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    self.peak_mib = int(line.split()[1]) / 1024
        self.process.stdin.close()
        self.process.wait(timeout=60)


def peer_environment(threads):
    count = str(threads)
    return {**os.environ, "OPENBLAS_CORETYPE": "SKYLAKEX", "OMP_NUM_THREADS": count,
            "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def own_environment(threads):
    """Empty except for what starting a program needs, and the thread count if it is not the machine's."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH")
                   if name in os.environ}
    if threads != len(os.sched_getaffinity(0)):
        environment["OMP_NUM_THREADS"] = str(threads)
    return environment


def start(arguments):
    peer_env = peer_environment(arguments.threads)
    batch = ["--batch", str(arguments.batch)]
    step = [os.path.join(HERE, "peers", "peer_step.py"), "--serve", "--threads",
            str(arguments.threads)] + batch
    programs = {"ceiling": Program("ceiling", [
        sys.executable, os.path.join(HERE, "peers", "gemm_ceiling.py"), "--serve"], peer_env)}
    if os.path.exists(arguments.ours):
        programs["lynceus"] = Program("lynceus", [
            arguments.ours, "--preset", "mid", "--serve"] + batch,
            own_environment(arguments.threads))
    elif not arguments.peers_only:
        raise SystemExit(f"compare_step: {arguments.ours} does not exist; build it or name another "
                         f"with --ours (--peers-only measures without it)")
    programs["pytorch"] = Program("pytorch", [arguments.peer_python] + step, peer_env)
    if arguments.newest_python:
        programs["pytorch_newest"] = Program("pytorch_newest", [arguments.newest_python] + step,
                                             peer_env)
    return programs


def measure(programs, warmup, rounds):
    order = list(programs.values())
    for program in order:
        for _ in range(warmup):
            program.ask()
    for number in range(rounds):
        for program in order[number % len(order):] + order[:number % len(order)]:
            time.sleep(PAUSE_SECONDS)
            program.values.append(program.ask())
        print(f"round {number + 1}/{rounds}: " + "  ".join(
            f"{program.name} {program.values[-1]:.3f}" for program in order), file=sys.stderr)
    for program in order:
        program.close()


def summarise(program, batch, ceiling):
    middle = statistics.median(program.values)
    rate = batch / middle
    return {
        "median_seconds": round(middle, 4),
        "fastest_seconds": round(min(program.values), 4),
        "slowest_seconds": round(max(program.values), 4),
        "samples_per_s": round(rate, 3),
        "tokens_per_s": round(rate * TOKENS_PER_SAMPLE, 1),
        "gflops": round(rate * GFLOP_PER_SAMPLE, 1),
        "share": round(rate * GFLOP_PER_SAMPLE / ceiling, 4),
        "peak_mib": round(program.peak_mib, 1),
        "seconds": program.values,
    }


def torch_version(python):
    command = [python, "-c", "import torch; print(torch.__version__)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def cpu_name():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def make_report(arguments, programs):
    ceiling = statistics.median(programs["ceiling"].values)
    report = {
        "preset": "mid", "precision": "f32", "batch": arguments.batch,
        "threads": arguments.threads, "rounds": arguments.rounds, "warmup": arguments.warmup,
        "cpu": cpu_name(), "cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d"),
        "gflop_per_sample": GFLOP_PER_SAMPLE,
        "ceiling_gflops": {"median": round(ceiling, 1),
                           "lowest": round(min(programs["ceiling"].values), 1),
                           "highest": round(max(programs["ceiling"].values), 1)},
        "torch": {"pytorch": torch_version(arguments.peer_python)},
        "programs": {name: summarise(program, arguments.batch, ceiling)
                     for name, program in programs.items() if name != "ceiling"},
    }
    if arguments.newest_python:
        report["torch"]["pytorch_newest"] = torch_version(arguments.newest_python)
    if "lynceus" in programs:
        own = programs["lynceus"].values
        for name in ("pytorch", "pytorch_newest"):
            if name in programs:
                each = [peer / ours for peer, ours in zip(programs[name].values, own)]
                report[f"speedup_over_{name}"] = {
                    "of_medians": round(statistics.median(programs[name].values)
                                        / statistics.median(own), 3),
                    "lowest_round": round(min(each), 3), "highest_round": round(max(each), 3)}
    return report


def print_table(report):
    ceiling = report["ceiling_gflops"]
    print(f"{report['cpu']}, {report['threads']} threads, batch {report['batch']}, "
          f"{report['rounds']} rounds; ceiling {ceiling['median']} GFLOP/s "
          f"({ceiling['lowest']} to {ceiling['highest']})")
    print(f"{'':16}{'s/step':>9}{'fastest':>9}{'slowest':>9}{'samples/s':>11}{'tokens/s':>10}"
          f"{'GFLOP/s':>9}{'share':>8}{'peak MiB':>10}")
    for name, row in report["programs"].items():
        print(f"{name:16}{row['median_seconds']:9.3f}{row['fastest_seconds']:9.3f}"
              f"{row['slowest_seconds']:9.3f}{row['samples_per_s']:11.2f}"
              f"{row['tokens_per_s']:10.1f}{row['gflops']:9.1f}{row['share']:8.1%}"
              f"{row['peak_mib']:10.1f}")
    for name, version in report["torch"].items():
        ratio = report.get(f"speedup_over_{name}")
        if ratio:
            print(f"lynceus is {ratio['of_medians']:.2f} x as fast as PyTorch {version} "
                  f"(rounds {ratio['lowest_round']:.2f} to {ratio['highest_round']:.2f})")


def failures(report):
    programs = report["programs"]
    if "lynceus" not in programs:
        return ["the trainer was not measured"]
    found = []
    speedup = report["speedup_over_pytorch"]["of_medians"]
    if speedup < PROMISED_SPEEDUP:
        found.append(f"speed-up {speedup} below {PROMISED_SPEEDUP}")
    if programs["lynceus"]["share"] < PROMISED_SHARE:
        found.append(f"share {programs['lynceus']['share']} below {PROMISED_SHARE}")
    if programs["lynceus"]["peak_mib"] >= programs["pytorch"]["peak_mib"]:
        found.append("peak memory not below the peer's")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", default=os.path.join(ROOT, "build", "release", "bench_step"))
    parser.add_argument("--peer-python", default="/usr/bin/python3",
                        help="Python with Debian's python3-torch")
    parser.add_argument("--newest-python", help="Python with the newest PyTorch")
    parser.add_argument("--peers-only", action="store_true",
                        help="measure without the trainer when it is not built")
    parser.add_argument("--batch", type=int, default=64, help="samples a step")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", default=os.path.join(HERE, "results", "step-mid-cpu.json"))
    parser.add_argument("--check", action="store_true",
                        help=f"exit 1 below {PROMISED_SPEEDUP} x, a share of {PROMISED_SHARE:.0%}, "
                             "or with more memory than the peer")
    arguments = parser.parse_args()
    programs = start(arguments)
    measure(programs, arguments.warmup, arguments.rounds)
    report = make_report(arguments, programs)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.output)), exist_ok=True)
    with open(arguments.output, "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print_table(report)
    if arguments.check:
        for line in failures(report):
            print("below the promise: " + line)
        return 1 if failures(report) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
