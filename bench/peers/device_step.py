"""The training step of bench_step on a device in PyTorch: ViT under no_grad, LLM frozen, bridge and
adapters trained, fused AdamW, SDPA. One JSON line per mode.

    python3 device_step.py --preset 7b --image 224 --modes eager,blocks
    python3 device_step.py --preset 7b --mix lengths --micro-batch 8 --modes eager,blocks
    python3 device_step.py --device cpu --preset tiny --batch 8     does it run?

Modes: eager; blocks (torch.compile of each repeated block and of the loss); whole (torch.compile of
the model, minutes). A mode that takes longer than --time-limit ends with a line that says so, and
with exit status 1.
"""
import argparse
import copy
import json
import resource
import signal
import statistics
import sys
import time

import torch

import workload
from device_model import Batches, MasterAdamW, compile_blocks, make_model
from lynx_modules import MID, SEVEN_B, TINY

PRESETS = {"tiny": TINY, "mid": MID, "7b": SEVEN_B}
VIDEO_FRAMES = 5
MIB = 2 ** 20


class Alarm:
    """Ends a mode that takes too long. The compiler wraps the exception in others, so it is remembered."""
    rung = False

    def set(self, seconds):
        self.rung = False
        signal.signal(signal.SIGALRM, self.ring)
        signal.alarm(seconds)

    def ring(self, *_):
        self.rung = True
        raise TimeoutError


def configuration(arguments):
    config = copy.deepcopy(PRESETS[arguments.preset])
    if arguments.image:
        config["vit"]["img_size"] = arguments.image
    if arguments.layers:
        config["llm"]["num_hidden_layers"] = arguments.layers
    if arguments.vision_layers:
        config["vit"]["depth"] = arguments.vision_layers
    return config


class Step:
    """Model, optimizer and the batch's layout."""

    def __init__(self, arguments, config):
        self.device = torch.device(arguments.device)
        self.on_gpu = self.device.type == "cuda"
        dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
        self.free_at_start = torch.cuda.mem_get_info()[0] if self.on_gpu else 0
        self.model = make_model(config, VIDEO_FRAMES, self.device, dtype)
        self.optimizer = MasterAdamW(self.model.trained_parameters(), fused=self.on_gpu)
        equal = arguments.mix == "none"
        sizes = (workload.equal_samples(arguments.batch, arguments.text) if equal else
                 workload.mixed_samples(arguments.batch, VIDEO_FRAMES, arguments.seed))
        self.batches = Batches(config, sizes, arguments.micro_batch or arguments.batch, equal,
                               self.device, dtype, arguments.group_by_length)
        self.generator = torch.Generator().manual_seed(1)
        self.call = self.model

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize()

    def run(self):
        """Seconds of one step, and its mean loss."""
        self.wait()
        begin = time.perf_counter()
        self.optimizer.zero()
        total = torch.zeros((), device=self.device)
        for batch in self.batches.draw(self.generator):
            loss = self.call(batch)
            (loss / self.batches.scored).backward()
            self.optimizer.collect()
            total += loss.detach()
        self.optimizer.step()
        self.wait()
        return time.perf_counter() - begin, total.item() / self.batches.scored

    def peak_mib(self):
        """What the process has taken of the device since the start; on CPUs of the host's."""
        if self.on_gpu:
            return (self.free_at_start - torch.cuda.mem_get_info()[0]) / MIB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def start_mode(self, mode):
        if mode == "blocks":
            compile_blocks(self.model)
        elif mode == "whole":
            self.call = torch.compile(self.model)
        if self.on_gpu:  # what another mode left in the allocator is not this mode's
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def measure(step, arguments, config, mode):
    step.start_mode(mode)
    first, first_loss = step.run()
    for _ in range(arguments.warmup - 1):
        step.run()
    results = [step.run() for _ in range(arguments.steps)]
    seconds = [value for value, _ in results]
    middle = statistics.median(seconds)
    batches = step.batches
    line = {
        "figure": "step", "program": "pytorch", "mode": mode, "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if step.on_gpu else "CPU",
        "precision": arguments.precision, "preset": arguments.preset,
        "layers": config["llm"]["num_hidden_layers"], "vision_layers": config["vit"]["depth"],
        "image": config["vit"]["img_size"], "mix": arguments.mix, "batch": arguments.batch,
        "rows": batches.rows, "padded_rows": batches.padded_rows, "pictures": batches.pictures,
        "micro_batch": arguments.micro_batch or arguments.batch,
        "group_by_length": arguments.group_by_length,
        "trained_parameters": sum(master.numel() for master in step.optimizer.masters),
        "step_seconds": seconds, "seconds": spread(seconds),
        "samples_per_s": arguments.batch / middle, "tokens_per_s": batches.rows / middle,
        "compile_seconds": max(0.0, first - middle) if mode != "eager" else 0.0,
        "first_loss": first_loss, "last_loss": results[-1][1], "peak_mib": step.peak_mib(),
    }
    if step.on_gpu:
        line["allocated_mib"] = torch.cuda.max_memory_allocated() / MIB
    return line


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--precision", choices=["bf16", "f32"],
                        help="bf16 where there is a GPU, f32 on CPUs, unless it is said")
    parser.add_argument("--preset", default="7b", choices=list(PRESETS))
    parser.add_argument("--image", type=int, default=0, help="side of the images; 0: the model's")
    parser.add_argument("--mix", default="none", choices=["none", "lengths"])
    parser.add_argument("--batch", type=int, default=64, help="samples a step")
    parser.add_argument("--micro-batch", type=int, default=0,
                        help="samples that run together; 0: all of the step")
    parser.add_argument("--group-by-length", action="store_true",
                        help="samples of like length into one micro-batch")
    parser.add_argument("--text", type=int, default=32, help="text tokens a sample")
    parser.add_argument("--seed", type=int, default=1, help="of the mixed lengths")
    parser.add_argument("--layers", type=int, default=0, help="of the LLM; 0: the preset's")
    parser.add_argument("--vision-layers", type=int, default=0, help="of the ViT; 0: the preset's")
    parser.add_argument("--steps", type=int, default=7, help="steps that are timed")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them, 1 at least")
    parser.add_argument("--modes", default="eager", help="eager, and then blocks or whole")
    parser.add_argument("--time-limit", type=int, default=300, help="seconds for a mode")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or {"cuda": "bf16", "cpu": "f32"}[arguments.device]
    arguments.modes = arguments.modes.split(",")
    if not set(arguments.modes) <= {"eager", "blocks", "whole"} or len(arguments.modes) > 2:
        parser.error("--modes: expected eager, blocks, whole, eager,blocks or eager,whole")
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("device_step: PyTorch sees no CUDA device", file=sys.stderr)
        return 77
    torch._dynamo.config.cache_size_limit = 64  # mixed lengths have many shapes
    config = configuration(arguments)
    step = Step(arguments, config)
    alarm = Alarm()
    for mode in arguments.modes:
        alarm.set(arguments.time_limit)
        try:
            line = measure(step, arguments, config, mode)
        except Exception as error:
            if not alarm.rung and not isinstance(error, torch.OutOfMemoryError):
                raise
            reason = (f"not done after {arguments.time_limit} s" if alarm.rung
                      else str(error).splitlines()[0])
            print(json.dumps({"figure": "step", "program": "pytorch", "mode": mode,
                              "mix": arguments.mix, "image": config["vit"]["img_size"],
                              "failed": reason}), flush=True)
            return 1
        finally:
            signal.alarm(0)
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
