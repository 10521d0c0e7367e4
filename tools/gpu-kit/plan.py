"""The parts that the kit runs, in order: one Part per check or benchmark, with its time limit.

A part whose program is not in the bundle is reported as absent. Important parts come before long ones, so
that a short run still shows the most.
"""

import glob
import os
import shutil
from dataclasses import dataclass, field

SOUND_GTEST = "--gtest_brief=1"


@dataclass
class Part:
    name: str
    limit: float  # seconds
    command: list  # one command, run in the bundle's folder
    kind: str = "check"  # or "benchmark", whose lines of JSON are figures
    environment: dict = field(default_factory=dict)
    needs: str = ""  # a file of the bundle, or a program on the PATH
    after: tuple = ()  # parts that must have passed
    skip_code: int = -1  # exit code that means "not possible here"


def program(*command):
    """A program of the bundle."""
    return ["./run", *command]


def ranks(count, *command):
    return ["./run", "mpirun", "-n", str(count), *command]


def tests_of(folder, pattern):
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(folder, "bin", pattern)))


def kernel_parts(folder, rehearsal):
    """The layout probe comes first: if it fails, nothing that uses the matrix unit can be correct."""
    skip = 77 if rehearsal else -1
    parts = [
        Part(
            "layout.mma_ldmatrix",
            40,
            program("gpu_matrix_test", SOUND_GTEST),
            environment={"LYNCEUS_TEST_DEVICE": "cuda"},
            needs="bin/gpu_matrix_test",
            skip_code=skip,
        )
    ]
    for test in tests_of(folder, "kernels_*_test"):
        parts.append(Part(test.replace("kernels_", "kernels.", 1), 60, program(test, SOUND_GTEST)))
    return parts


def verify_parts(folder, device):
    """All reference cases on one rank, and some, whose heads two ranks can divide, on ranks that share the GPU."""
    cases = sorted(
        os.path.join("golden", os.path.basename(os.path.dirname(path)))
        for path in glob.glob(os.path.join(folder, "golden", "*", "config.json"))
    )

    def verify(*options):
        return ["lynceus", "verify", "--device", device, *options]

    staged = ("--transport", "staged") if device == "cuda" else ()
    grid = ("--parallel.tensor", "2", "--parallel.pipeline", "2", "--train.micro_batch_tokens", "1")
    shared = [case for case in cases if os.path.basename(case) in ("prefix_image", "turns")]
    video = [case for case in cases if os.path.basename(case) in ("prefix_video", "grouped_kv")]
    return [
        Part("verify.f32", 90, program(*verify(*cases))),
        Part("verify.bf16", 90, program(*verify("--precision", "bf16", *cases))),
        Part("verify.f32.2x2x1", 60, ranks(4, *verify(*staged, *grid, *shared))),
        Part("verify.f32.2x2x2", 60, ranks(8, *verify(*staged, *grid, *video))),
        Part("verify.bf16.2x2x1", 60, ranks(4, *verify("--precision", "bf16", *staged, *grid, *shared))),
    ]


def rank_parts(rehearsal):
    """Groups of ranks on one device, and the grid law."""
    environment = {"LYNCEUS_TEST_TRANSPORT": "staged", "LYNCEUS_TEST_DEVICE": "cuda"}
    skip = 77 if rehearsal else -1
    parts = []
    for test in ("device_communicator", "device_reducer"):
        name = f"gpu_{test}_test"
        parts.append(
            Part(
                f"ranks.{test}.staged",
                40,
                ranks(4, name, SOUND_GTEST),
                environment=environment,
                needs=f"bin/{name}",
                skip_code=skip,
            )
        )
    for test in ("step_mpi8", "grid_law_mpi8"):
        name = f"train_{test}_test"
        parts.append(Part(f"ranks.{test}", 75, ranks(8, name, SOUND_GTEST), needs=f"bin/{name}"))
    return parts


def training_parts(device, work, steps, batch, count):
    """Runs of one model: twice in each precision, which must be equal bit for bit, and bf16 against f32."""
    data = os.path.join(work, "data")
    prepare = program(
        *("lynceus", "prepare", "shapes", "--count", str(count), "--seed", "1"),
        *("--output", data, "--train-tokenizer", "300", "--overwrite"),
    )
    parts = [Part("train.data", 60, prepare)]

    def run_of(name):
        return os.path.join(work, name)

    for precision in ("f32", "bf16"):
        for turn in (1, 2):
            name = f"{precision}.{turn}"
            command = program(
                *("lynceus", "train", "--config", "configs/model/tiny.ini", "--run", run_of(name)),
                *("--resume", "never", "--device", device, "--precision", precision),
                *("--data.tokenizer", os.path.join(data, "tokenizer.model")),
                *("--data.source", "captions:1:" + os.path.join(data, "train-captions.h5")),
                *("--train.steps", str(steps), "--train.global_batch_size", str(batch)),
                *("--optimizer.lr", "1e-3", "--optimizer.warmup_start_lr", "1e-4"),
            )
            parts.append(Part(f"train.{name}", 60, command, after=("train.data",)))
    compare = ["python3", "compare_runs.py"]
    for precision in ("f32", "bf16"):
        runs = (f"{precision}.1", f"{precision}.2")
        parts.append(
            Part(
                f"train.{precision}.repeats",
                20,
                [*compare, "equal", *map(run_of, runs)],
                after=tuple(f"train.{run}" for run in runs),
            )
        )
    parts.append(
        Part(
            "train.bf16.tracks_f32",
            20,
            [*compare, "track", "--within", "0.01", run_of("f32.1"), run_of("bf16.1")],
            after=("train.f32.1", "train.bf16.1"),
        )
    )
    return parts


def sanitizer_parts(folder):
    """Every eighth case of each kernel test: kernels are many times slower under the sanitizer."""
    tool = shutil.which("compute-sanitizer") or next(
        iter(sorted(glob.glob("/usr/local/cuda*/bin/compute-sanitizer"), reverse=True)), ""
    )
    tests = tests_of(folder, "kernels_*_test")
    if not tests:
        return []
    # A machine may have the tool and refuse it the counters or the debugger. Where it works, it always
    # ends with a summary.
    probe = 'found=$("$@" 2>&1); echo "$found"; case $found in *"ERROR SUMMARY"*) ;; *) exit 77 ;; esac'
    command = [tool or "compute-sanitizer", "--tool", "memcheck", *program(tests[0], SOUND_GTEST)]
    parts = [
        Part(
            "memcheck.probe",
            40,
            ["bash", "-c", probe, "probe", *command],
            environment={"GTEST_TOTAL_SHARDS": "64", "GTEST_SHARD_INDEX": "0"},
            needs=tool or "compute-sanitizer",
            skip_code=77,
        )
    ]
    for mode in ("memcheck", "racecheck"):
        for test in tests:
            watch = (tool or "compute-sanitizer", "--tool", mode, "--error-exitcode", "9")
            parts.append(
                Part(
                    f"{mode}.{test.replace('kernels_', '', 1)}",
                    20,
                    [*watch, "--target-processes", "all", *program(test, SOUND_GTEST)],
                    environment={"GTEST_TOTAL_SHARDS": "8", "GTEST_SHARD_INDEX": "0"},
                    needs=tool or "compute-sanitizer",
                    after=("memcheck.probe",),
                )
            )
    return parts


def figure(name, limit, command, needs):
    return Part(name, limit, command, kind="benchmark", needs=needs)


def benchmark_parts():
    """Each benchmark directly before that of its peer, so that both run at the same clocks."""
    parts = []
    step = program("bench_step", "--device", "cuda", "--precision", "bf16", "--preset", "7b")
    peer = ["python3", "peers/device_step.py", "--preset", "7b"]
    modes = ("--modes", "eager,blocks", "--time-limit", "60")
    # Mixed lengths: the peer pads. 64 samples padded to the longest would not be a fair comparison.
    work = {
        "224": (("--image", "224", "--text", "32", "--batch", "64"), ()),
        "420": (("--image", "420", "--text", "32", "--batch", "32"), ()),
        "mix": (("--mix", "lengths", "--image", "224", "--batch", "64"), ("--micro-batch", "8")),
    }
    for name, (options, padding) in work.items():
        parts.append(figure(f"figures.step.{name}", 60, [*step, *options], "bin/bench_step"))
        command = [*peer, *options, *padding, *modes]
        parts.append(figure(f"figures.step.{name}.peer", 90, command, "peers/device_step.py"))
    return [
        *parts,
        figure("figures.attention", 30, program("bench_attention", "--json"), "bin/bench_attention"),
        figure(
            "figures.attention.peer",
            45,
            ["python3", "peers/device_attention.py"],
            "peers/device_attention.py",
        ),
        figure("figures.kernels", 45, program("bench_kernels", "--json"), "bin/bench_kernels"),
    ]


def rehearsal_benchmarks():
    """One benchmark, to test that figures are collected."""
    small = ("--device", "cpu", "--rows", "64", "--launches", "1", "--samples", "2")
    kernels = program("bench_kernels", "--json", *small)
    return [figure("figures.kernels", 60, kernels, "bin/bench_attention")]


def full_plan(folder, work):
    return [
        *kernel_parts(folder, rehearsal=False),
        *verify_parts(folder, "cuda"),
        *rank_parts(rehearsal=False),
        *training_parts("cuda", work, steps=50, batch=16, count=400),
        *benchmark_parts(),
        *sanitizer_parts(folder),
    ]


def rehearsal_plan(folder, work):
    return [
        *kernel_parts(folder, rehearsal=True),
        *verify_parts(folder, "cpu"),
        *rank_parts(rehearsal=True),
        *training_parts("cpu", work, steps=4, batch=4, count=40),
        *rehearsal_benchmarks(),
        *sanitizer_parts(folder)[:2],
    ]
