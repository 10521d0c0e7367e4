#!/usr/bin/env python3
"""Writes torch files in the forms in which others publish them, and the same tensors as safetensors.

    python3 make_torch_files.py [--seed N] [--scale N] [--micro] DIRECTORY

torch.save is the oracle: each file must read back bit for bit like the safetensors file next to it. The
folders are

    plain/   tensors.safetensors, and its tensors as state dict, in wrappers, as parameters, views,
             in other protocols, in one file and in shards under an index; files to be refused
    llama/   hf.safetensors, and its tensors as LLaMA's original pieces, 1 and 2 of them, the
             embedding cut by columns (1, 2) and by rows (3)
    eva/     lynx.safetensors (released names of two blocks), eva.pt (EVA-CLIP of three)
    lynx/    lynx.safetensors, pretrain_lynx.pt (under "model.")

--scale makes the matrices larger; --micro writes models to train from. ../data/torch was made with seed 1 and scale 1.
"""
import argparse
import collections
import json
import os

import torch

from tensor_files import write_tensors


def save(path, value, **options):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.save(value, path, **options)


def save_tensors(path, tensors):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_tensors(path, tensors)


def make_plain(folder, scale):
    """One small state dict in every form."""
    rows = 3 * scale
    state = collections.OrderedDict()
    state["layer.weight"] = torch.randn(rows, 5)
    state["layer.bias"] = torch.randn(5)
    state["half"] = torch.randn(2, rows, 2).half()
    state["brain"] = torch.randn(4, rows).bfloat16()
    state["double"] = torch.randn(2, 2).double()
    state["scalar"] = torch.tensor(0.5)
    state["empty"] = torch.zeros(0, 4)
    state["count"] = torch.tensor([7, -1, 2**40])
    state["bytes"] = torch.tensor([0, 255], dtype=torch.uint8)
    save_tensors(f"{folder}/tensors.safetensors", state)

    with_metadata = collections.OrderedDict(state)
    with_metadata._metadata = collections.OrderedDict({"": {"version": 1}})
    save(f"{folder}/tensors.pt", with_metadata)
    # Its dicts of tensors are no state dicts.
    optimizer = {"state": {0: {"step": torch.tensor(1.0), "exp_avg": torch.zeros(2)}},
                 "param_groups": [{"lr": 0.1, "betas": (0.9, 0.95), "params": [0]}]}
    save(f"{folder}/wrapped.pt", {"model": with_metadata, "optimizer": optimizer, "epoch": 3,
                                  "size": torch.Size([1, 2]), "dtype": torch.float16,
                                  "device": torch.device("cpu"), "big": -2**40, "none": None})
    save(f"{folder}/wrapped_twice.pth", {"state_dict": {"module": dict(state), "step": 1}},
         pickle_protocol=4)
    save(f"{folder}/protocol5.pt", state, pickle_protocol=5)
    parameters = {name: torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point())
                  for name, tensor in state.items()}
    save(f"{folder}/parameters.pt", parameters)
    # Tensors of a type share one storage, one after the other.
    views = {}
    for dtype in dict.fromkeys(tensor.dtype for tensor in state.values()):
        names = [name for name in state if state[name].dtype == dtype]
        pool, end = torch.cat([state[name].flatten() for name in names]), 0
        for name in names:
            begin, end = end, end + state[name].numel()
            views[name] = pool[begin:end].view(state[name].shape)
    save(f"{folder}/views.pt", views)

    save(f"{folder}/pytorch_model.bin", state)
    shards = {"pytorch_model-00001-of-00002.bin": list(state)[:4],
              "pytorch_model-00002-of-00002.bin": list(state)[4:]}
    for file, names in shards.items():
        save(f"{folder}/shards/{file}", {name: state[name] for name in names})
    with open(f"{folder}/shards/pytorch_model.bin.index.json", "w") as file:
        json.dump({"metadata": {"total_size": 0},
                   "weight_map": {name: shard for shard, names in shards.items()
                                  for name in names}}, file, indent=1)

    save(f"{folder}/refused/transposed.pt", {"w": state["layer.weight"].t(),
                                             "part": state["layer.weight"][:, 1:3],
                                             "good": state["layer.bias"]})
    save(f"{folder}/refused/legacy.pt", {"w": torch.ones(2)},
         _use_new_zipfile_serialization=False)
    save(f"{folder}/refused/namespace.pt", {"model": {"w": torch.ones(2)},
                                            "args": argparse.Namespace(lr=1)})
    save(f"{folder}/refused/two_models.pt", {"model": {"w": torch.ones(2)},
                                             "state_dict": {"w": torch.ones(2)}, "epoch": 3})
    save(f"{folder}/refused/list.pt", [torch.ones(2)])
    torch.jit.script(torch.nn.Linear(2, 2)).save(f"{folder}/refused/program.pt")


def rotary_to_meta(weight, heads):
    """Rows of a head from (half, half) to neighbours."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.transpose(1, 2).reshape(rows, columns).contiguous()


def llama_state(heads, kv_heads, head_dim, mlp, layers, vocabulary):
    """A random LLaMA under Hugging Face's names."""
    dim = heads * head_dim
    state = {"model.embed_tokens.weight": torch.randn(vocabulary, dim),
             "model.norm.weight": torch.randn(dim), "lm_head.weight": torch.randn(vocabulary, dim)}
    for layer in range(layers):
        at = f"model.layers.{layer}."
        state[at + "self_attn.q_proj.weight"] = torch.randn(dim, dim)
        state[at + "self_attn.k_proj.weight"] = torch.randn(kv_heads * head_dim, dim)
        state[at + "self_attn.v_proj.weight"] = torch.randn(kv_heads * head_dim, dim)
        state[at + "self_attn.o_proj.weight"] = torch.randn(dim, dim)
        state[at + "mlp.gate_proj.weight"] = torch.randn(mlp, dim)
        state[at + "mlp.up_proj.weight"] = torch.randn(mlp, dim)
        state[at + "mlp.down_proj.weight"] = torch.randn(dim, mlp)
        state[at + "input_layernorm.weight"] = torch.randn(dim)
        state[at + "post_attention_layernorm.weight"] = torch.randn(dim)
    return {name: tensor.half() for name, tensor in state.items()}


def save_pieces(folder, state, heads, kv_heads, layers, count, embedding_axis):
    """The same model as Meta stores it, in `count` pieces."""
    dim = state["model.norm.weight"].numel()
    meta = {"tok_embeddings.weight": (state["model.embed_tokens.weight"], embedding_axis),
            "norm.weight": (state["model.norm.weight"], None),
            "output.weight": (state["lm_head.weight"], 0),
            "rope.freqs": (torch.ones(dim // heads // 2), None)}
    for layer in range(layers):
        at, to = f"model.layers.{layer}.", f"layers.{layer}."
        attention, mlp_at = at + "self_attn.", at + "mlp."
        meta[to + "attention.wq.weight"] = (
            rotary_to_meta(state[attention + "q_proj.weight"], heads), 0)
        meta[to + "attention.wk.weight"] = (
            rotary_to_meta(state[attention + "k_proj.weight"], kv_heads), 0)
        meta[to + "attention.wv.weight"] = (state[attention + "v_proj.weight"], 0)
        meta[to + "attention.wo.weight"] = (state[attention + "o_proj.weight"], 1)
        meta[to + "feed_forward.w1.weight"] = (state[mlp_at + "gate_proj.weight"], 0)
        meta[to + "feed_forward.w2.weight"] = (state[mlp_at + "down_proj.weight"], 1)
        meta[to + "feed_forward.w3.weight"] = (state[mlp_at + "up_proj.weight"], 0)
        meta[to + "attention_norm.weight"] = (state[at + "input_layernorm.weight"], None)
        meta[to + "ffn_norm.weight"] = (state[at + "post_attention_layernorm.weight"], None)
    for piece in range(count):
        cut = {name: tensor if axis is None else tensor.chunk(count, axis)[piece].clone()
               for name, (tensor, axis) in meta.items()}
        save(f"{folder}/consolidated.{piece:02}.pth", cut)
    with open(f"{folder}/params.json", "w") as file:
        json.dump({"dim": dim, "n_heads": heads, "n_kv_heads": kv_heads, "n_layers": layers,
                   "multiple_of": 4, "norm_eps": 1e-5, "vocab_size": -1}, file)


def make_llama(folder, scale):
    """A LLaMA with grouped heads, as Hugging Face stores it and as Meta does."""
    heads, kv_heads, layers = 4, 2, scale
    state = llama_state(heads, kv_heads, 4 * scale, 12 * scale, layers, 10)
    save_tensors(f"{folder}/hf.safetensors", state)
    for name, count, embedding_axis in (("pieces1", 1, 1), ("pieces2", 2, 1), ("pieces3", 2, 0)):
        save_pieces(f"{folder}/{name}", state, heads, kv_heads, layers, count, embedding_axis)


def make_micro(folder):
    """LLM and encoder of ../data/micro.ini, to train from: each in every form."""
    heads, kv_heads, layers, dim, mlp, vocabulary = 4, 2, 2, 32, 64, 320
    state = llama_state(heads, kv_heads, dim // heads, mlp, layers, vocabulary)
    state = {name: tensor if "norm" in name else tensor * 0.1 for name, tensor in state.items()}
    config = {"model_type": "llama", "hidden_size": dim, "intermediate_size": mlp,
              "num_hidden_layers": layers, "num_attention_heads": heads,
              "num_key_value_heads": kv_heads, "vocab_size": vocabulary, "rms_norm_eps": 1e-5}
    save_tensors(f"{folder}/safetensors/model.safetensors", state)
    save(f"{folder}/bin/pytorch_model.bin", state)
    for form in ("safetensors", "bin"):
        with open(f"{folder}/{form}/config.json", "w") as file:
            json.dump(config, file)
    save_pieces(f"{folder}/pieces", state, heads, kv_heads, layers, 2, 1)

    eva = {"cls_token": (1, 1, dim), "pos_embed": (1, 5, dim),
           "patch_embed.proj.weight": (dim, 3, 14, 14), "patch_embed.proj.bias": (dim,)}
    ends = {"norm.weight": (dim,), "head.bias": (3,)}
    for block, shapes in (("blocks.0.", eva), ("blocks.1.", ends)):
        for name, shape in {"norm1.weight": (dim,), "norm1.bias": (dim,), "norm2.weight": (dim,),
                            "norm2.bias": (dim,), "attn.qkv.weight": (3 * dim, dim),
                            "attn.q_bias": (dim,), "attn.v_bias": (dim,),
                            "attn.proj.weight": (dim, dim), "attn.proj.bias": (dim,),
                            "mlp.fc1.weight": (mlp, dim), "mlp.fc1.bias": (mlp,),
                            "mlp.fc2.weight": (dim, mlp), "mlp.fc2.bias": (dim,)}.items():
            shapes[block + name] = shape
    eva = {name: torch.randn(shape).half() * 0.1 for name, shape in eva.items()}
    save_tensors(f"{folder}/eva.safetensors", eva)
    ends = {name: torch.randn(shape).half() for name, shape in ends.items()}
    save(f"{folder}/eva_clip.pt", {"state_dict": {"logit_scale": torch.tensor(1.0), **{
        "visual." + name: tensor for name, tensor in {**eva, **ends}.items()}}})


def make_eva(folder, scale):
    """EVA-CLIP's names of an encoder of three blocks; Lynx takes two."""
    width = 4 * scale
    clip = {"logit_scale": torch.tensor(1.0), "text.proj": torch.randn(2, 2),
            "visual.cls_token": torch.randn(1, 1, width), "visual.norm.weight": torch.randn(width),
            "visual.head.weight": torch.randn(3, width)}
    lynx = {"cls_token": clip["visual.cls_token"]}
    for block in range(3):
        at, to = f"visual.blocks.{block}.attn.", f"blocks.{block}.attn."
        clip[at + "qkv.weight"] = torch.randn(3 * width, width)
        clip[at + "q_bias"], clip[at + "v_bias"] = torch.randn(width), torch.randn(width)
        if block == 2:
            continue
        for part, weight in zip("qkv", clip[at + "qkv.weight"].chunk(3)):
            lynx[f"{to}{part}_proj.weight"] = weight
        for part in "qv":
            lynx[f"{to}{part}_proj.bias"] = clip[f"{at}{part}_bias"]
    save(f"{folder}/eva.pt", {name: tensor.half() for name, tensor in clip.items()})
    save_tensors(f"{folder}/lynx.safetensors",
                 {name: tensor.half().contiguous() for name, tensor in lynx.items()})


def make_lynx(folder, scale):
    """The parameters that the released code trains, with an additional prefix "model."."""
    lynx = {"bridge.latents": torch.randn(2, 4 * scale),
            "LLM.model.layers.0.output_adapter.scaling": torch.randn(1),
            "absolute_frame_pos_embed": torch.randn(1, 2, 1, 3)}
    save(f"{folder}/pretrain_lynx.pt",
         {"model": {"model." + name: tensor for name, tensor in lynx.items()}})
    save_tensors(f"{folder}/lynx.safetensors", lynx)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--micro", action="store_true", help="the models of micro.ini instead")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.micro:
        make_micro(options.directory)
        return
    make_plain(f"{options.directory}/plain", options.scale)
    make_llama(f"{options.directory}/llama", options.scale)
    make_eva(f"{options.directory}/eva", options.scale)
    make_lynx(f"{options.directory}/lynx", options.scale)


if __name__ == "__main__":
    main()
