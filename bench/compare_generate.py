"""Tokens per second of generation at the `mid` preset, compared with Hugging Face transformers: the same weights
and prompts, f32, on all cores, greedy and with 5 beams.

    python3 bench/compare_generate.py --python P [--build build/release]
    python3 bench/compare_generate.py --python P --check        exit 1 below the promised figure

P: a Python with torch and transformers. Both programs stay resident and answer one round of prompts in
turn, so that they run under the same conditions: a round each to warm up, then rounds in turn. Medians are
reported. The greedy tokens of both must be the same. Writes bench/results/generate-mid-cpu.json.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from compare_step import Program, own_environment

HERE = os.path.dirname(os.path.abspath(__file__))
PROMISED_SPEEDUP = 2.0
PAUSE_SECONDS = 0.2  # the threads of the other program spin for a moment


def peer_environment(threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
                   "MKL_NUM_THREADS": str(threads)}
    with open("/proc/cpuinfo") as cpuinfo:
        if "avx512f" in cpuinfo.read():
            environment["OPENBLAS_CORETYPE"] = "SKYLAKEX"
    return environment


def compare(options, weights, beams, threads):
    common = ["--batch", str(options.batch), "--prompt", str(options.prompt), "--new_tokens",
              str(options.new_tokens), "--num_beams", str(beams)]
    ours = [os.path.join(options.build, "bench_generate"), "--device", "cpu", *common]
    theirs = [options.python, os.path.join(HERE, "peers/hf_generate.py"), "--weights", weights,
              "--threads", str(threads), *common]
    own, peer = own_environment(threads), peer_environment(threads)
    tokens = [subprocess.run([*command, "--tokens"], env=environment, check=True, text=True,
                             stdout=subprocess.PIPE).stdout
              for command, environment in ((ours, own), (theirs, peer))]
    programs = [Program("lynceus", [*ours, "--serve"], own), Program("transformers", theirs, peer)]
    for number in range(options.rounds + 1):
        for program in programs[number % 2:] + programs[:number % 2]:
            time.sleep(PAUSE_SECONDS)
            seconds = program.ask()
            if number > 0:
                program.values.append(seconds)
    for program in programs:
        program.close()
    rates = {program.name: options.batch * options.new_tokens / statistics.median(program.values)
             for program in programs}
    return {"num_beams": beams, "tokens_per_s": rates,
            "speedup": rates["lynceus"] / rates["transformers"],
            "peak_mib": {program.name: program.peak_mib for program in programs},
            "same_tokens": tokens[0] == tokens[1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True)
    parser.add_argument("--build", default=os.path.join(HERE, "../build/release"))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--new_tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, "model.safetensors")
        subprocess.run([os.path.join(options.build, "bench_generate"), "--device", "cpu", "--export",
                        weights], env=own_environment(threads), check=True)
        figures = [compare(options, weights, beams, threads) for beams in (1, 5)]
    result = {"figure": "generate", "preset": "mid", "batch": options.batch, "prompt": options.prompt,
              "new_tokens": options.new_tokens, "threads": threads, "figures": figures}
    with open(os.path.join(HERE, "results/generate-mid-cpu.json"), "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    for figure in figures:
        print(f"beams {figure['num_beams']}: lynceus {figure['tokens_per_s']['lynceus']:.1f} tokens/s, "
              f"transformers {figure['tokens_per_s']['transformers']:.1f}, speedup {figure['speedup']:.2f}, "
              f"same tokens: {figure['same_tokens']}")
    if options.check and any(figure["speedup"] < PROMISED_SPEEDUP for figure in figures):
        sys.exit(1)


if __name__ == "__main__":
    main()
