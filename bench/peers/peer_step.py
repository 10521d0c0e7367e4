"""The training step of the `mid` preset in PyTorch on the CPU, f32, clip and AdamW included.

    python3 peer_step.py --threads 2 --steps 7    one JSON line
    python3 peer_step.py --threads 2 --serve      for each line of stdin the seconds of one step
    python3 peer_step.py --check CASE_DIR         loss and gradients against a reference case

`bench/compare_step.py` runs it in turn with the trainer. The runner sets OPENBLAS_CORETYPE=SKYLAKEX and
the thread counts of OpenMP, OpenBLAS and MKL, so that the peer runs at its best speed.
"""
import argparse
import json
import os
import resource
import sys
import time

import torch

from lynx_modules import HAS_FUSED_ATTENTION, MID, NOT_SCORED, Lynx

TEXT_TOKENS = 32


class Step:
    """Model, optimizer and one batch of decoded random images with random text."""

    def __init__(self, batch):
        generator = torch.Generator().manual_seed(1)
        torch.manual_seed(1)
        self.model = Lynx(MID)
        self.parameters = self.model.trained_parameters()
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-4, weight_decay=0.01)
        side = MID["vit"]["img_size"]
        self.pixels = torch.randn(batch, 3, side, side, generator=generator)
        self.token_ids = torch.randint(3, MID["llm"]["vocab_size"], (batch, TEXT_TOKENS),
                                       generator=generator)

    def run(self):
        """Returns (seconds, loss)."""
        begin = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(self.pixels, self.token_ids, self.token_ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return time.perf_counter() - begin, loss.item()


def describe(step, batch, seconds, losses):
    middle = sorted(seconds)[len(seconds) // 2]
    tokens = MID["lynx"]["num_bridge_tokens"] + TEXT_TOKENS
    return {
        "program": "pytorch",
        "torch": torch.__version__,
        "fused_attention": HAS_FUSED_ATTENTION,
        "threads": torch.get_num_threads(),
        "batch": batch,
        "trained_parameters": sum(parameter.numel() for parameter in step.parameters),
        "step_seconds": [round(value, 4) for value in seconds],
        "samples_per_s": round(batch / middle, 3),
        "tokens_per_s": round(batch * tokens / middle, 1),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        # Linux counts ru_maxrss in KiB.
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def serve(step):
    """Answers each line with the seconds of one step, until the input ends."""
    for _ in sys.stdin:
        seconds, _ = step.run()
        print(f"{seconds:.6f}", flush=True)


def check(case_dir):
    """Errors of loss and gradients against a right-padded image case with a resampler."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests",
                                    "oracle"))
    import lynx_oracle
    from tensor_files import read_tensors
    config, weights, inputs = lynx_oracle.load_case(case_dir)
    expected = read_tensors(os.path.join(case_dir, "expected.safetensors"))
    model = Lynx(config)
    known = dict(model.named_parameters())
    model.load_state_dict({name: weights[name] for name in known})
    loss = model(inputs["pixels"], inputs["input_ids"], inputs["labels"])
    loss.backward()
    worst = 0.0
    for name, parameter in known.items():
        if parameter.requires_grad and "grad." + name in expected:
            golden = expected["grad." + name].double()
            error = ((parameter.grad.double() - golden).norm() / golden.norm()).item()
            worst = max(worst, error)
    loss_error = abs(loss.item() - expected["loss"].item())
    print(f"loss error {loss_error:.2e}, largest relative gradient error {worst:.2e}")
    return 0 if loss_error < 1e-5 and worst < 2e-4 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64, help="samples a step")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--warmup", type=int, default=3, help="steps that are not counted")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--serve", action="store_true", help="one step a line of stdin")
    parser.add_argument("--check", metavar="CASE_DIR", help="compare with a reference case")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.check:
        return check(arguments.check)
    step = Step(arguments.batch)
    if arguments.serve:
        serve(step)
        return 0
    results = [step.run() for _ in range(arguments.warmup + arguments.steps)]
    counted = results[arguments.warmup:]
    print(json.dumps(describe(step, arguments.batch, [seconds for seconds, _ in counted],
                              [loss for _, loss in results])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
