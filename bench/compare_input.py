"""Images per second on one core: ours against Pillow, alternating on the same photographs.

    python3 -m venv /tmp/pillow && /tmp/pillow/bin/pip install pillow
    python3 bench/compare_input.py --images DIR --peer-python /tmp/pillow/bin/python
    ... --check                                     exit 1 below the promised figures

Both stay resident and make one pass over all images for each line on stdin, so that both run under the
same conditions: one uncounted pass, then rounds in which each makes one pass, in changing order, for every size and transform. Ours also normalises, Pillow does not.
Medians over rounds with their spread, by the clock and by CPU time (which a busy neighbour disturbs
less). Writes bench/results/input-cpu.json and prints the table.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import compare_step

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PROMISED_SPEEDUP = 1.5
TRANSFORMS = ("evaluation", "training")


class Program:
    """A resident program that answers a line with the seconds and CPU seconds of a pass."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, size, transform):
        try:
            self.process.stdin.write(f"{size} {transform}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            raise SystemExit(f"compare_input: {self.name} answered {answer} instead of two numbers "
                             f"(exit status {self.process.poll()})")
        return float(answer[0]), float(answer[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def measure(programs, sizes, rounds):
    """{(size, transform): {name: [(seconds, CPU seconds), ...]}}"""
    results = {}
    for size in sizes:
        for transform in TRANSFORMS:
            passes = {program.name: [] for program in programs}
            for program in programs:
                program.ask(size, transform)
            for number in range(rounds):
                for program in programs[number % 2:] + programs[:number % 2]:
                    passes[program.name].append(program.ask(size, transform))
            results[size, transform] = passes
            print(f"{size} {transform}: done", file=sys.stderr)
    return results


def spread(values, digits=1):
    return {"median": round(statistics.median(values), digits),
            "lowest": round(min(values), digits), "highest": round(max(values), digits)}


def summarise(size, transform, passes, count):
    row = {"size": size, "transform": transform}
    for name, pairs in passes.items():
        row[name] = {"images_per_s": spread([count / wall for wall, _ in pairs]),
                     "images_per_cpu_s": spread([count / cpu for _, cpu in pairs])}
    for kind, key in enumerate(("speedup", "speedup_cpu")):
        row[key] = spread([peer[kind] / ours[kind]
                           for ours, peer in zip(passes["lynceus"], passes["pillow"])], 3)
    return row


def print_table(report):
    print(f"{report['cpu']}, one thread each, {report['images']} pictures, {report['rounds']} "
          f"rounds; Pillow {report['pillow']}")
    print(f"{'size':>5} {'transform':12}{'images/s':>10}{'Pillow':>10}{'ratio':>8}   rounds"
          f"{'by CPU time':>22}")
    for row in report["rows"]:
        ratio = row["speedup"]
        print(f"{row['size']:5} {row['transform']:12}"
              f"{row['lynceus']['images_per_s']['median']:10.1f}"
              f"{row['pillow']['images_per_s']['median']:10.1f}{ratio['median']:8.2f}"
              f"   {ratio['lowest']:.2f} to {ratio['highest']:.2f}"
              f"{row['speedup_cpu']['median']:14.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, help="folder of photographs")
    parser.add_argument("--ours", default=os.path.join(ROOT, "build", "release", "bench_input"))
    parser.add_argument("--peer-python", default=sys.executable, help="a Python with Pillow")
    parser.add_argument("--size", default="224,420", help="sides of the result, pixels")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", default=os.path.join(HERE, "results", "input-cpu.json"))
    parser.add_argument("--check", action="store_true",
                        help=f"exit 1 where evaluation is below {PROMISED_SPEEDUP} x Pillow")
    arguments = parser.parse_args()
    peer = [arguments.peer_python, os.path.join(HERE, "peers", "pillow_input.py")]
    images = ["--images", arguments.images, "--serve"]
    programs = [Program("lynceus", [arguments.ours] + images), Program("pillow", peer + images)]
    results = measure(programs, [int(size) for size in arguments.size.split(",")],
                      arguments.rounds)
    for program in programs:
        program.close()
    count = sum(entry.is_file() for entry in os.scandir(arguments.images))
    version = subprocess.run(peer + ["--images", arguments.images, "--version"], check=True,
                             capture_output=True, text=True).stdout.strip()
    report = {"cpu": compare_step.cpu_name(), "cores": os.cpu_count(),
              "date": time.strftime("%Y-%m-%d"), "commit": commit(), "images": count,
              "rounds": arguments.rounds, "pillow": version,
              "rows": [summarise(*case, passes, count) for case, passes in results.items()]}
    with open(arguments.output, "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    print_table(report)
    slow = [row for row in report["rows"] if row["transform"] == "evaluation"
            and row["speedup"]["median"] < PROMISED_SPEEDUP]
    for row in slow if arguments.check else []:
        print(f"below the promise: {row['size']}: {row['speedup']['median']} x")
    return 1 if arguments.check and slow else 0


def commit():
    command = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
