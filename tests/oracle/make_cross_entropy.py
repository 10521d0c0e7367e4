"""Writes tests/data/cross_entropy_torch.json: torch.nn.functional.cross_entropy in float64, with and
without label smoothing, with unscored rows, and its gradient.

Logits are exactly representable in float32. Run with any Python that has torch:
python3 tests/oracle/make_cross_entropy.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F

ROWS, VOCABULARY = 9, 23


def run(smoothing):
    torch.manual_seed(5)
    logits = (torch.randn(ROWS, VOCABULARY) * 4).double().requires_grad_()
    labels = torch.randint(0, VOCABULARY, (ROWS,))
    labels[2] = labels[7] = -100
    loss = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    loss.sum().backward()
    return dict(label_smoothing=smoothing, logits=logits.tolist(), labels=labels.tolist(),
                loss=loss.tolist(), gradient=logits.grad.tolist())


path = pathlib.Path(__file__).resolve().parent.parent / "data" / "cross_entropy_torch.json"
path.write_text(json.dumps(dict(torch=torch.__version__,
                                cases=[run(0.0), run(0.1), run(0.75)])) + "\n")
