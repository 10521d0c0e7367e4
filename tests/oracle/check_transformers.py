#!/usr/bin/env python3
"""Checks with Hugging Face transformers what Lynceus reads and exports. Needs transformers, safetensors
and torch; started by tools/check_transformers.sh.

    python3 check_transformers.py save DIRECTORY DTYPE HEADS KV_HEADS MORE
        a random LLaMA of 320 tokens by save_pretrained, in shards; MORE: more values of its config, JSON
    python3 check_transformers.py judge SAVED MERGED GOLDEN CASE
        MERGED, exported from a run on SAVED, loads and has the same bits, [PAD] as the mean of the
        others in one row more; its logits, loss and gradients become the reference case CASE, whose
        other tensors are those of the case GOLDEN
"""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from tensor_files import read_tensors, write_tensors

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def save(directory, dtype, heads, kv_heads, more):
    torch.manual_seed(int(heads) * 10 + int(kv_heads))
    config = LlamaConfig(vocab_size=320, hidden_size=64, intermediate_size=172, num_hidden_layers=4,
                         num_attention_heads=int(heads), num_key_value_heads=int(kv_heads),
                         rms_norm_eps=1e-5, initializer_range=0.1, max_position_embeddings=512,
                         **json.loads(more))
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(parameter, 1.0, 0.1)
    model.to(DTYPES[dtype]).save_pretrained(directory, max_shard_size="200KB")


def expect_same_bits(saved, merged):
    theirs, ours = saved.state_dict(), merged.state_dict()
    assert set(theirs) == set(ours), set(theirs) ^ set(ours)
    for name, tensor in theirs.items():
        found = ours[name]
        if found.shape[0] == tensor.shape[0] + 1:
            torch.testing.assert_close(found[-1], tensor.double().mean(0).float(),
                                       rtol=1e-6, atol=1e-8)
            found = found[:-1]
        assert torch.equal(found, tensor.float()), name
    print(f"{len(theirs)} tensors have the same bits")


def judge(saved, merged_directory, golden, case):
    merged = AutoModelForCausalLM.from_pretrained(merged_directory)
    merged = merged.float().eval()
    expect_same_bits(AutoModelForCausalLM.from_pretrained(saved), merged)

    inputs = read_tensors(f"{golden}/inputs.safetensors")
    output = merged(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                    labels=inputs["labels"])
    output.loss.backward()
    expected = {"loss": output.loss.detach().double().reshape(1), "logits": output.logits.detach()}
    for name, parameter in merged.named_parameters():
        expected["grad.LLM." + name] = parameter.grad

    weights = {name: tensor for name, tensor in read_tensors(f"{golden}/weights.safetensors").items()
               if not name.startswith("LLM.")}
    for name, parameter in merged.named_parameters():
        weights["LLM." + name] = parameter.detach()
    with open(f"{golden}/config.json") as file:
        config = json.load(file)
    with open(f"{merged_directory}/config.json") as file:
        config["llm"] = json.load(file)
    config.update(case="transformers", trainable=["llm"], adapter_layers=[])
    config["lynx"]["use_adapter"] = False
    os.makedirs(case)
    with open(f"{case}/config.json", "w") as file:
        json.dump(config, file, indent=1)
    write_tensors(f"{case}/weights.safetensors", weights)
    write_tensors(f"{case}/inputs.safetensors", inputs)
    write_tensors(f"{case}/expected.safetensors", expected)


if __name__ == "__main__":
    {"save": save, "judge": judge}[sys.argv[1]](*sys.argv[2:])
