"""Writes tests/data/adamw_torch.json: ten steps of torch.optim.AdamW in float64.

Every input is exactly representable in float32, so that a float32 implementation starts from the
same numbers. Run with any Python that has torch: python3 tests/oracle/make_adamw.py
"""
import json
import pathlib

import torch

STEPS, SIZE = 10, 37


def run(name, value_scale, grad_scale, lr, betas, eps, decay):
    torch.manual_seed(len(name))
    start = (torch.rand(SIZE).add(0.25) * value_scale).double()
    grads = (torch.randn(STEPS, SIZE) * grad_scale).double()
    lrs = [lr * (step + 1) / STEPS for step in range(STEPS)]
    parameter = torch.nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([parameter], lr=lr, betas=betas, eps=eps, weight_decay=decay,
                                  foreach=False)
    values = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = lrs[step]
        parameter.grad = grads[step].clone()
        optimizer.step()
        values.append(parameter.detach().tolist())
    state = optimizer.state[parameter]
    return dict(name=name, beta1=betas[0], beta2=betas[1], eps=eps, weight_decay=decay, lr=lrs,
                start=start.tolist(), grads=grads.tolist(), values=values,
                m=state["exp_avg"].tolist(), v=state["exp_avg_sq"].tolist())


cases = [
    run("lynx", 1.0, 1e-2, 1e-4, (0.9, 0.98), 1e-8, 0.05),
    run("torch defaults", 1.0, 1.0, 1e-3, (0.9, 0.999), 1e-8, 0.01),
    run("gradients near eps", 1.0, 1e-8, 1e-3, (0.9, 0.999), 1e-8, 0.0),
    run("strong decay", 4.0, 1e-1, 1e-2, (0.5, 0.75), 1e-6, 0.5),
]
path = pathlib.Path(__file__).resolve().parent.parent / "data" / "adamw_torch.json"
path.write_text(json.dumps(dict(torch=torch.__version__, cases=cases)) + "\n")
