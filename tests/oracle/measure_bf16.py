"""Measures the error of bfloat16 on a case: the oracle in PyTorch's bfloat16 against float64.

    python3 measure_bf16.py CASE_DIR...

Weights, activations and gradients are bfloat16, as after `model.to(torch.bfloat16)`; norms, rotary
angles and the loss are computed in float32 inside, as PyTorch's GPU kernels and the Hugging Face
LLaMA do. In one run the gradient of a scalar may be correct by luck. Therefore the case runs with its own weights and
with eight others within 2^-8 of them, each against float64 with the same weights, and the root mean square
of the errors is taken.

Writes bf16_errors.json into each case that has expected gradients (others are named and
skipped): for each stored gradient ‖bfloat16 - float64‖ / ‖expected‖, the same for all of them
"together", and the relative error of the "loss". `lynceus verify --precision bf16` reads it.
"""
import argparse
import json
import os

import torch

import lynx_oracle as oracle
from tensor_files import read_tensors

NEIGHBOURS = 8
DISTANCE = 2.0 ** -8  # relative; one step of bfloat16, so that weights stored in it move too


def neighbour(weights, generator):
    """Each value changed by at most DISTANCE, as the dtype that stores it can hold it."""
    def move(value):
        noise = torch.rand(value.shape, generator=generator, dtype=torch.float64) * 2 - 1
        return (value.double() * (1 + DISTANCE * noise)).to(value.dtype)
    return {name: move(weights[name]) for name in sorted(weights)}


def run(weights, config, inputs, dtype):
    """-> loss, {name: gradient} in float64 of a run in `dtype`."""
    parameters = oracle.make_parameters(weights, config, dtype)
    loss = oracle.forward(parameters, config, inputs)["loss"]
    loss.backward()
    return loss.item(), {name: value.double()
                         for name, value in oracle.gradients(parameters).items()}


def squared_errors(weights, config, inputs, names):
    exact_loss, exact = run(weights, config, inputs, torch.float64)
    loss, found = run(weights, config, inputs, torch.bfloat16)
    squares = {name: (found[name] - exact[name]).square().sum().item() for name in names}
    return {"loss": (loss - exact_loss) ** 2, "together": sum(squares.values()), **squares}


def bf16_errors(case_dir, expected):
    config, weights, inputs = oracle.load_case(case_dir)
    sizes = {name[len("grad."):]: value.double().square().sum().item()
             for name, value in expected.items() if name.startswith("grad.")}
    generator = torch.Generator().manual_seed(1)
    draws = [weights] + [neighbour(weights, generator) for _ in range(NEIGHBOURS)]
    squares = [squared_errors(draw, config, inputs, sorted(sizes)) for draw in draws]
    sizes.update(loss=expected["loss"].item() ** 2, together=sum(sizes.values()))
    return {name: (sum(draw[name] for draw in squares) / len(draws) / max(size, 1e-24)) ** 0.5
            for name, size in sizes.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", metavar="CASE_DIR")
    # One thread sums in one order, so that every run writes the same file.
    torch.set_num_threads(1)
    for case_dir in parser.parse_args().cases:
        case = os.path.basename(os.path.normpath(case_dir))
        path = os.path.join(case_dir, "expected.safetensors")
        expected = read_tensors(path) if os.path.exists(path) else {}
        if not any(entry.startswith("grad.") for entry in expected):
            print(f"{case:20} no expected gradients")
            continue
        errors = bf16_errors(case_dir, expected)
        with open(os.path.join(case_dir, "bf16_errors.json"), "w") as file:
            json.dump({name: float(f"{error:.3g}") for name, error in errors.items()}, file,
                      indent=1)
            file.write("\n")
        worst = max(errors.keys() - {"loss", "together"}, key=errors.get)
        print(f"{case:20} loss {errors['loss']:.1e}  together {errors['together']:.1e}  "
              f"worst {errors[worst]:.1e} ({worst})")


if __name__ == "__main__":
    main()
