"""Attention at Lynx's shapes in PyTorch: every SDPA backend, forward and backward, the cases of
bench_attention. One JSON line per case and direction, with the best backend.

    python3 device_attention.py
    python3 device_attention.py --device cpu --tokens 1024 --launches 2 --samples 3    does it run?

q, k and v are views of [rows, heads * head_dim], as a model's projections leave them. Sequences of
mixed lengths are padded to the longest, and tried as nested (jagged) tensors too, which need no
padding. The backends: flash, efficient, cudnn; plain products (math) are left out.
"""
import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from workload import CounterRandom

WARM_SECONDS = 0.1  # the clocks of an idle device are slow and rise after a while
BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "efficient": SDPBackend.EFFICIENT_ATTENTION,
            "cudnn": SDPBackend.CUDNN_ATTENTION}


def mixed_lengths(tokens):
    """Drawn evenly from 64 to 512, as bench_attention draws them."""
    random, lengths = CounterRandom(1, "attention lengths"), []
    while sum(lengths) < tokens:
        lengths.append(64 + random.below(len(lengths), 449))
    return lengths


def cases(tokens):
    """(name, heads, head_dim, causal, query lengths, key lengths)"""
    def equal(name, heads, head_dim, causal, q, k, filled):
        count = max(1, filled // q)
        return name, heads, head_dim, causal, [q] * count, [k] * count

    found = [equal(f"causal {n}", 32, 128, True, n, n, tokens) for n in (64, 128, 256, 512, 2048)]
    lengths = mixed_lengths(tokens)
    found.insert(4, ("causal 64-512", 32, 128, True, lengths, lengths))
    found += [equal(f"vision {n}", 16, 88, False, n, n, tokens) for n in (257, 901)]
    found.append(equal("latents 32 x 257", 8, 64, False, 32, 257, tokens // 4))
    found.append(equal("latents 32 x 1285", 8, 64, False, 32, 1285, tokens // 16))
    return found


class Timer:
    def __init__(self, device, launches, samples):
        self.on_gpu, self.launches, self.samples = device == "cuda", launches, samples

    def seconds(self, work):
        """Seconds of one launch, `samples` times over `launches` of them."""
        work()
        end = time.perf_counter() + WARM_SECONDS
        while self.on_gpu and time.perf_counter() < end:
            self.once(work)
        return [self.once(work) / self.launches for _ in range(self.samples)]

    def once(self, work):
        if not self.on_gpu:
            begin = time.perf_counter()
            for _ in range(self.launches):
                work()
            return time.perf_counter() - begin
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(self.launches):
            work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3


def padded(lengths, heads, head_dim, device, dtype):
    """[B, H, longest, d], a view of [B, longest, H * d]."""
    rows = torch.randn(len(lengths), max(lengths), heads * head_dim, device=device, dtype=dtype)
    return rows.unflatten(-1, (heads, head_dim)).transpose(1, 2).detach().requires_grad_()


def nested(lengths, heads, head_dim, device, dtype):
    values = torch.randn(sum(lengths), heads, head_dim, device=device, dtype=dtype)
    begins = torch.tensor([0] + lengths, device=device).cumsum(0)
    jagged = torch.nested.nested_tensor_from_jagged(values, begins, min_seqlen=min(lengths),
                                                    max_seqlen=max(lengths))
    return jagged.transpose(1, 2).detach().requires_grad_()


def measure_backend(case, make, backend, arguments, timer):
    """(forward seconds, backward seconds) of one backend, or the reason why there are none."""
    _, heads, head_dim, causal, q_lengths, k_lengths = case
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    q = make(q_lengths, heads, head_dim, arguments.device, dtype)
    k = make(k_lengths, heads, head_dim, arguments.device, dtype)
    v = make(k_lengths, heads, head_dim, arguments.device, dtype)
    try:
        with sdpa_kernel(backend):
            with torch.no_grad():
                forward = timer.seconds(
                    lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal))
            out = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
            dout = torch.randn_like(out)
            backward = timer.seconds(
                lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True))
        return forward, backward
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        return str(error).strip().splitlines()[0][:120]


def matrix_tflops(arguments, timer):
    """The rate of PyTorch's own matrix product, to compare with that of bench_attention."""
    size = arguments.matrix
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=arguments.device, dtype=dtype) for _ in range(2))
    return [2e-12 * size ** 3 / seconds for seconds in timer.seconds(lambda: a @ b)]


def spread(values, scale=1.0):
    return {"min": min(values) * scale, "median": statistics.median(values) * scale,
            "max": max(values) * scale}


def report(case, arguments, timer):
    name, heads, head_dim, causal, q_lengths, k_lengths = case
    found, refused = {}, {}
    candidates = [(backend, padded, value) for backend, value in BACKENDS.items()]
    if len(set(q_lengths)) > 1:
        candidates += [(f"{backend}, nested", nested, value) for backend, value in
                       BACKENDS.items() if backend != "cudnn"]
    for label, make, backend in candidates:
        result = measure_backend(case, make, backend, arguments, timer)
        (refused if isinstance(result, str) else found)[label] = result
    pairs = sum(q * k for q, k in zip(q_lengths, k_lengths)) / (2 if causal else 1)
    for index, direction in enumerate(("forward", "backward")):
        seconds = {label: result[index] for label, result in found.items()}
        line = {"figure": "attention", "program": "pytorch", "torch": torch.__version__,
                "device": torch.cuda.get_device_name() if timer.on_gpu else "CPU",
                "precision": arguments.precision, "case": name, "direction": direction,
                "heads": heads, "head_dim": head_dim, "sequences": len(q_lengths),
                "rows": sum(q_lengths), "pairs": pairs, "refused": refused}
        if seconds:
            best = min(seconds, key=lambda label: statistics.median(seconds[label]))
            flops = 4 * pairs * heads * head_dim * (1 if index == 0 else 2.5)
            line.update({
                "best": best, "microseconds": spread(seconds[best], 1e6),
                "tflops": 1e-12 * flops / statistics.median(seconds[best]),
                "backends": {label: spread(values, 1e6) for label, values in seconds.items()}})
        print(json.dumps(line), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--precision", choices=["bf16", "f32"],
                        help="bf16 where there is a GPU, f32 on CPUs, unless it is said")
    parser.add_argument("--tokens", type=int, default=16384,
                        help="query rows that a case is filled up to")
    parser.add_argument("--launches", type=int, default=20, help="that are timed together")
    parser.add_argument("--samples", type=int, default=7, help="times that is done")
    parser.add_argument("--matrix", type=int, default=0,
                        help="size of the matrix product; 0: 8192 on a device, 1024 on CPUs")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or {"cuda": "bf16", "cpu": "f32"}[arguments.device]
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("device_attention: PyTorch sees no CUDA device", file=sys.stderr)
        return 77
    timer = Timer(arguments.device, arguments.launches, arguments.samples)
    arguments.matrix = arguments.matrix or (8192 if timer.on_gpu else 1024)
    print(json.dumps({"figure": "matrix", "program": "pytorch", "size": arguments.matrix,
                      "precision": arguments.precision,
                      "tflops": spread(matrix_tflops(arguments, timer))}), flush=True)
    for case in cases(arguments.tokens):
        report(case, arguments, timer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
