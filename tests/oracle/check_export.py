#!/usr/bin/env python3
"""Writes a model as base and delta with torch, and checks with torch what Lynceus exported from them.

    python3 check_export.py make HF_DIRECTORY OUTPUT       OUTPUT/base, OUTPUT/delta
    python3 check_export.py check OUTPUT EXPORT DTYPE      EXPORT's LLM is their sum as DTYPE
    python3 check_export.py same FILE FILE                 the second is the first, rounded

The sum is taken in f32 and rounded once, so every bit must agree.
"""
import json
import os
import shutil
import sys

import torch

from tensor_files import read_tensors

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def make(source, output):
    base = torch.load(f"{source}/pytorch_model.bin", map_location="cpu")
    delta = {name: torch.randn(tensor.shape).mul(0.01).half() for name, tensor in base.items()}
    # Buffers that such files contain and that are not added.
    delta["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    for name, state in (("base", base), ("delta", delta)):
        os.makedirs(f"{output}/{name}", exist_ok=True)
        torch.save(state, f"{output}/{name}/pytorch_model.bin")
        shutil.copy(f"{source}/config.json", f"{output}/{name}/config.json")


def read_directory(directory):
    """All tensors of a directory of safetensors, in one file or under an index."""
    index = f"{directory}/model.safetensors.index.json"
    if not os.path.exists(index):
        return read_tensors(f"{directory}/model.safetensors")
    with open(index) as file:
        places = json.load(file)["weight_map"]
    files = {file: read_tensors(f"{directory}/{file}") for file in set(places.values())}
    assert sum(len(tensors) for tensors in files.values()) == len(places)
    return {name: files[file][name] for name, file in places.items()}


def bits(tensor):
    return tensor.contiguous().view(torch.int32 if tensor.dtype == torch.float32 else torch.int16)


def check(output, exported, dtype):
    base = torch.load(f"{output}/base/pytorch_model.bin", map_location="cpu")
    delta = torch.load(f"{output}/delta/pytorch_model.bin", map_location="cpu")
    found = read_directory(exported)
    assert set(found) == set(base), set(found) ^ set(base)
    for name, tensor in base.items():
        total = tensor.float() + delta[name].float()
        if len(found[name]) == len(total) + 1:  # [PAD] is the mean of all others
            mean = total.double().mean(0).to(DTYPES[dtype])
            torch.testing.assert_close(found[name][-1], mean)
            found[name] = found[name][:-1]
        assert found[name].dtype == DTYPES[dtype] and found[name].shape == total.shape, name
        assert torch.equal(bits(found[name]), bits(total.to(DTYPES[dtype]))), name
    print(f"check_export: {len(base)} tensors are torch's sums as {dtype}")


def same(first, second):
    exact, rounded = read_tensors(first), read_tensors(second)
    assert set(exact) == set(rounded)
    for name, tensor in exact.items():
        assert torch.equal(bits(tensor.to(rounded[name].dtype)), bits(rounded[name])), name
    print(f"check_export: {len(exact)} tensors of {os.path.basename(second)} are torch's roundings")


if __name__ == "__main__":
    {"make": make, "check": check, "same": same}[sys.argv[1]](*sys.argv[2:])
