"""Makes reference cases of other shapes and seeds with the oracle, in the format of the goldens.

    python3 make_case.py OUTPUT_DIR [NAME...]        (default: all names of CASES)

Weights and inputs come from one seed per case; expected values, the AdamW trajectory and the final
parameters are computed in float64. The format is described in README.md. Before a case is written
it is also run in float32: the errors go into hints.json, and a case in which float32 alone comes
near the tolerances of `lynceus verify` is refused, because its result would depend on luck.
"""
import argparse
import json
import math
import os

import torch

import lynx_oracle as oracle
from tensor_files import write_tensors

FLOAT32_GRADIENT_LIMIT = 5e-5
LARGEST_FINAL = 5000

VIT = {"img_size": 28, "patch_size": 7, "in_chans": 3, "embed_dim": 24, "depth": 2, "num_heads": 2,
       "mlp_ratio": 4.3637, "qkv_bias": True, "norm_eps": 1e-6}
LLM = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 89,
       "hidden_size": 32, "intermediate_size": 60, "num_hidden_layers": 4, "num_attention_heads": 4,
       "hidden_act": "silu", "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
       "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}
LYNX = {"vision_encoder": "eva_vit_1b", "video_encoding": "", "add_frame_pos": False,
        "data": {"num_frames": 0}, "LLM": "vicuna-7b", "use_flash_attn": False, "use_adapter": True,
        "adapter_freq": 2, "use_left_pad": False, "freeze_vit": True, "freeze_llm": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711], "label_smoothing": 0.0}
RESAMPLER = {"bridge": "resampler", "bridge_depth": 1, "num_bridge_tokens": 6,
             "bridge_dim_head": 16, "bridge_heads": 3}
VIDEO = {"video_encoding": "concate", "add_frame_pos": True}
TRAINING = {"optimizer": "torch.optim.AdamW", "lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8,
            "weight_decay": 0.05, "max_grad_norm": 1.0, "steps": 10}

# name: seed and what differs from the tables above; `lengths` are the text lengths of the rows.
CASES = {
    "odd_layers": {
        "seed": 11, "lengths": [12, 7, 1, 9],
        "llm": {"hidden_size": 36, "intermediate_size": 42, "num_hidden_layers": 5,
                "num_attention_heads": 6, "vocab_size": 101},
        "lynx": {**RESAMPLER, "adapter_freq": 3}},
    "three_heads": {
        "seed": 12, "lengths": [5, 11, 8], "padding": "left",
        "vit": {"embed_dim": 30, "num_heads": 3},
        "llm": {"hidden_size": 36, "intermediate_size": 60, "num_hidden_layers": 3,
                "num_attention_heads": 3, "vocab_size": 97},
        "lynx": {**RESAMPLER, "adapter_freq": 1}},
    "grouped_kv": {
        "seed": 13, "lengths": [10, 14, 6], "store_weights": torch.bfloat16,
        "llm": {"hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 8,
                "num_key_value_heads": 2},
        "lynx": RESAMPLER},
    "smoothing": {
        "seed": 14, "lengths": [9, 13, 4], "store_weights": torch.bfloat16,
        "lynx": {**RESAMPLER, "label_smoothing": 0.1}},
    "rope_video": {
        "seed": 15, "lengths": [11, 6], "frames": 2, "rope_theta": 500000.0,
        "vit": {"patch_size": 14, "img_size": 42, "embed_dim": 20},
        "llm": {"rms_norm_eps": 1e-5, "num_attention_heads": 2, "num_hidden_layers": 3},
        "lynx": {**RESAMPLER, **VIDEO}},
    "llm_trained_grouped": {
        "seed": 16, "lengths": [8, 10, 5], "store_weights": torch.bfloat16,
        "trainable": ["bridge", "adapter", "llm"],
        "llm": {"hidden_size": 24, "num_key_value_heads": 2, "num_hidden_layers": 3},
        "lynx": {**RESAMPLER, "freeze_llm": False}},
    "wide_mlp": {
        "seed": 27, "lengths": [7, 9], "mlp_bridge_width": 72,
        "store_weights": torch.bfloat16,
        "llm": {"hidden_size": 40, "num_attention_heads": 5, "num_hidden_layers": 3},
        "lynx": {"bridge": "mlp", "add_vision_ln": True}},
    "affine_norm": {
        "seed": 18, "lengths": [7, 9], "padding": "left",
        "llm": {"num_hidden_layers": 3},
        "lynx": {"bridge": "affine", "add_vision_ln": True, "adapter_freq": 1}},
    "text_left": {
        "seed": 19, "lengths": [13, 3, 8], "store_weights": torch.bfloat16,
        "arch": "text_only", "padding": "left",
        "llm": {"num_hidden_layers": 5, "num_key_value_heads": 1},
        "lynx": {**RESAMPLER, "adapter_freq": 3}},
}


def make_config(name, spec):
    vit, llm = {**VIT, **spec.get("vit", {})}, {**LLM, **spec.get("llm", {})}
    lynx = {**LYNX, **spec["lynx"]}
    vit["mlp_hidden"] = int(vit["embed_dim"] * vit["mlp_ratio"])
    llm["pad_token_id"] = llm["vocab_size"] - 1
    frames = spec.get("frames", 0)
    padding, arch = spec.get("padding", "right"), spec.get("arch", "prefix")
    lynx.update(image_res=vit["img_size"], data={"num_frames": frames},
                use_left_pad=padding == "left")
    patches = (vit["img_size"] // vit["patch_size"]) ** 2
    tokens = lynx["num_bridge_tokens"] if lynx["bridge"] == "resampler" else 1 + patches
    config = {
        "case": name, "arch": arch, "vit": vit, "llm": llm, "lynx": lynx,
        "layer_norm_eps": {"vit": vit["norm_eps"], "bridge": 1e-5, "adapter": 1e-5,
                           "cross_attn": 1e-5},
        "rope_theta": spec.get("rope_theta", 10000.0),
        "adapter_layers": list(range(0, llm["num_hidden_layers"], lynx["adapter_freq"])),
        "cross_attn_layers": [],
        "visual_prefix_tokens": tokens if arch == "prefix" else 0,
        "padding": padding,
        "weights": f"weights.safetensors ({str(spec.get('store_weights', torch.float32))[6:]})",
        "stored": {"grad": "F32",
                   "final": f"F32, only tensors of at most {LARGEST_FINAL} values"},
        "training": TRAINING,
    }
    if "trainable" in spec:
        config["trainable"] = spec["trainable"]
    return config


class Weights:
    """Draws named tensors from one generator: linear maps keep the scale of their input."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.tensors = {}

    def normal(self, name, *shape, mean=0.0, std=1.0):
        self.tensors[name] = mean + std * torch.randn(*shape, generator=self.generator)

    def linear(self, name, rows, columns, bias=True):
        self.normal(name + ".weight", rows, columns, std=columns ** -0.5)
        if bias:
            self.normal(name + ".bias", rows, std=0.1)

    def norm(self, name, width, bias=True):
        self.normal(name + ".weight", width, mean=1.0, std=0.2)
        if bias:
            self.normal(name + ".bias", width, std=0.1)


def draw_vision(w, vit):
    width, patch, name = vit["embed_dim"], vit["patch_size"], "vision_encoder."
    w.normal(name + "cls_token", 1, 1, width, std=0.5)
    w.normal(name + "pos_embed", 1, 1 + (vit["img_size"] // patch) ** 2, width, std=0.3)
    w.normal(name + "patch_embed.proj.weight", width, 3, patch, patch, std=(3 * patch ** 2) ** -0.5)
    w.normal(name + "patch_embed.proj.bias", width, std=0.1)
    for layer in range(vit["depth"]):
        block = f"{name}blocks.{layer}."
        w.norm(block + "norm1", width)
        w.norm(block + "norm2", width)
        w.linear(block + "attn.q_proj", width, width)
        w.linear(block + "attn.k_proj", width, width, bias=False)
        w.linear(block + "attn.v_proj", width, width)
        w.linear(block + "attn.proj", width, width)
        w.linear(block + "mlp.fc1", vit["mlp_hidden"], width)
        w.linear(block + "mlp.fc2", width, vit["mlp_hidden"])


def draw_bridge(w, lynx, vision_width, hidden, mlp_width):
    if lynx["bridge"] == "resampler":
        inner = lynx["bridge_dim_head"] * lynx["bridge_heads"]
        w.normal("bridge.latents", lynx["num_bridge_tokens"], hidden)
        for layer in range(lynx["bridge_depth"]):
            name = f"bridge.layers.{layer}."
            w.norm(name + "0.norm_media", vision_width)
            w.norm(name + "0.norm_latents", hidden)
            w.linear(name + "0.to_q", inner, hidden, bias=False)
            w.linear(name + "0.to_kv", 2 * inner, vision_width, bias=False)
            w.linear(name + "0.to_out", hidden, inner, bias=False)
            w.norm(name + "1.0", hidden)
            w.linear(name + "1.1", 4 * hidden, hidden, bias=False)
            w.linear(name + "1.3", hidden, 4 * hidden, bias=False)
        w.norm("bridge.norm", hidden)
        return
    if lynx["add_vision_ln"]:
        w.norm("bridge.ln_vision", vision_width)
    if lynx["bridge"] == "affine":
        w.linear("bridge.mlp", hidden, vision_width)
    else:
        w.linear("bridge.mlp.0", mlp_width, vision_width)
        w.norm("bridge.mlp.1", mlp_width)
        w.linear("bridge.mlp.3", hidden, mlp_width)


def draw_language_model(w, llm, adapter_layers):
    hidden, width, vocabulary = llm["hidden_size"], llm["intermediate_size"], llm["vocab_size"]
    heads = llm["num_attention_heads"]
    kv_width = hidden // heads * llm.get("num_key_value_heads", heads)
    bottleneck = hidden // 2
    w.normal("LLM.model.embed_tokens.weight", vocabulary, hidden, std=0.7)
    for layer in range(llm["num_hidden_layers"]):
        name = f"LLM.model.layers.{layer}."
        w.norm(name + "input_layernorm", hidden, bias=False)
        w.norm(name + "post_attention_layernorm", hidden, bias=False)
        for projection, rows in (("q", hidden), ("k", kv_width), ("v", kv_width), ("o", hidden)):
            w.linear(f"{name}self_attn.{projection}_proj", rows, hidden, bias=False)
        w.linear(name + "mlp.gate_proj", width, hidden, bias=False)
        w.linear(name + "mlp.up_proj", width, hidden, bias=False)
        w.linear(name + "mlp.down_proj", hidden, width, bias=False)
        if layer in adapter_layers:
            w.norm(name + "output_adapter.adapter_norm_before", hidden)
            w.linear(name + "output_adapter.adapter_down", bottleneck, hidden)
            w.linear(name + "output_adapter.adapter_up", hidden, bottleneck)
            w.normal(name + "output_adapter.scaling", 1, mean=0.8, std=0.2)
    w.norm("LLM.model.norm", hidden, bias=False)
    w.linear("LLM.lm_head", vocabulary, hidden, bias=False)


def make_weights(config, spec):
    """All tensors of the state_dict by name; [PAD] rows are the mean of the other rows."""
    w, width = Weights(spec["seed"]), config["vit"]["embed_dim"]
    draw_vision(w, config["vit"])
    draw_bridge(w, config["lynx"], width, config["llm"]["hidden_size"],
                spec.get("mlp_bridge_width"))
    if config["lynx"]["add_frame_pos"]:
        frames = config["lynx"]["data"]["num_frames"]
        w.normal("absolute_frame_pos_embed", 1, frames, 1, width, std=0.3)
    draw_language_model(w, config["llm"], config["adapter_layers"])
    for name in ("LLM.model.embed_tokens.weight", "LLM.lm_head.weight"):
        w.tensors[name][-1] = w.tensors[name][:-1].mean(0)
    dtype = spec.get("store_weights", torch.float32)
    return {name: value.to(dtype) for name, value in w.tensors.items()}


def make_text(config, lengths, seed):
    """input_ids, attention_mask, labels [B, T]. Row 0 scores its first token, which the last visual
    row predicts, unless pads stand between the two (a pad's row predicts nothing that is scored); a
    row of one token scores nothing; the others score from their third token on."""
    generator = torch.Generator().manual_seed(seed + 1000)
    llm, longest = config["llm"], max(lengths)
    ids = torch.full((len(lengths), longest), llm["pad_token_id"], dtype=torch.int64)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, oracle.NOT_SCORED)
    for row, length in enumerate(lengths):
        begin = longest - length if config["padding"] == "left" else 0
        text = torch.randint(3, llm["pad_token_id"], (length,), generator=generator)
        text[0] = llm["bos_token_id"]
        if length > 1:
            text[-1] = llm["eos_token_id"]
        ids[row, begin:begin + length] = text
        mask[row, begin:begin + length] = 1
        scored = 0 if row == 0 and begin == 0 else 2
        if length > 1:
            labels[row, begin + scored:begin + length] = text[scored:]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def make_pixels(config, rows, frames, seed):
    """Smooth random images, normalised: [B, 3, R, R] or [B, F, 3, R, R] when frames > 0."""
    generator = torch.Generator().manual_seed(seed + 2000)
    side = config["vit"]["img_size"]
    coarse = torch.randn(rows * max(frames, 1), 3, 7, 7, generator=generator).double()
    # In float64, so that every version of torch rounds to the same float32 values.
    pixels = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic",
                                             align_corners=False).float()
    return pixels.reshape(rows, frames, 3, side, side) if frames else pixels


def make_inputs(config, spec):
    inputs = make_text(config, spec["lengths"], spec["seed"])
    if config["arch"] == "prefix":
        inputs["pixels"] = make_pixels(config, len(spec["lengths"]), spec.get("frames", 0),
                                       spec["seed"])
    return inputs


def fingerprint(tensor):
    flat = tensor.detach().double().flatten()
    wave = torch.arange(flat.numel(), dtype=torch.float64).cos()
    return {"sum": flat.sum().item(), "l2": flat.norm().item(), "cosdot": (flat @ wave).item()}


def float32_errors(config, weights, inputs, out, grads):
    """The errors of loss, logits and gradients of this case in float32."""
    parameters = oracle.make_parameters(weights, config, torch.float32)
    plain = oracle.forward(parameters, config, inputs)
    plain["loss"].backward()
    seen = out["attention_mask_full"] == 1
    found = oracle.gradients(parameters)
    errors = sorted(((found[name].double() - value).norm() / value.norm().clamp(min=1e-30)).item()
                    for name, value in grads.items())
    return {
        "note": "the oracle run in float32 against itself in float64",
        "fp32_loss_abs_err": abs(plain["loss"].item() - out["loss"].item()),
        "fp32_logits_max_abs_err_on_unpadded":
            (plain["logits"].double() - out["logits"])[seen].abs().max().item(),
        "fp32_grad_rel_l2_err": {"max": errors[-1], "median": errors[len(errors) // 2]},
    }


def make_stats(out, grads, final):
    scored = (out["labels_full"][:, 1:] != oracle.NOT_SCORED).sum().item()
    logits, labels = out["logits"].detach(), out["labels_full"]
    return {
        "loss": out["loss"].item(),
        "scored_tokens": scored,
        "loss_sum": out["loss"].item() * scored,
        "loss_label_smoothing_0": oracle.loss_of(logits, labels, 0.0).item(),
        "loss_label_smoothing_0p1": oracle.loss_of(logits, labels, 0.1).item(),
        "grad_global_l2": math.sqrt(sum(value.square().sum().item() for value in grads.values())),
        "grad": {name: fingerprint(value) for name, value in grads.items()},
        "final": {name: fingerprint(value) for name, value in final.items()},
    }


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def write_case(directory, name, spec):
    config = make_config(name, spec)
    weights, inputs = make_weights(config, spec), make_inputs(config, spec)
    parameters = oracle.make_parameters(weights, config)
    out = oracle.forward(parameters, config, inputs)
    out["loss"].backward()
    grads = oracle.gradients(parameters)
    hints = float32_errors(config, weights, inputs, out, grads)
    if hints["fp32_grad_rel_l2_err"]["max"] > FLOAT32_GRADIENT_LIMIT:
        raise SystemExit(f"{name}: float32 alone errs by {hints['fp32_grad_rel_l2_err']}")

    run = oracle.train(weights, config, [inputs] * TRAINING["steps"])
    counts = run.step_counts()
    final = {key: value for key, value in run.parameters.items() if counts[key] > 0}
    untouched = [key for key, count in counts.items() if count == 0]
    expected = {key: out[key].detach() for key in
                ("attention_mask_full", "labels_full", "loss", "logits")}
    expected["logits"] = expected["logits"].float()
    for key in ("vision_features", "bridge_output"):
        if key in out:
            expected[key] = out[key].detach().float()
    expected.update({"grad." + key: value.float() for key, value in grads.items()})

    os.makedirs(directory, exist_ok=True)
    write_json(os.path.join(directory, "config.json"), config)
    write_tensors(os.path.join(directory, "weights.safetensors"), weights)
    write_tensors(os.path.join(directory, "inputs.safetensors"), inputs)
    write_tensors(os.path.join(directory, "expected.safetensors"), expected)
    write_tensors(os.path.join(directory, "final.safetensors"),
                  {key: value.float() for key, value in final.items()
                   if value.numel() <= LARGEST_FINAL})
    write_json(os.path.join(directory, "trajectory.json"),
               {**TRAINING, **run.trajectory(), "updated_parameters": len(final),
                "untouched_parameters": untouched})
    write_json(os.path.join(directory, "stats.json"), make_stats(out, grads, final))
    write_json(os.path.join(directory, "hints.json"), hints)
    return hints


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", metavar="OUTPUT_DIR")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    arguments = parser.parse_args()
    for name in arguments.names or CASES:
        directory = os.path.join(arguments.output, name)
        hints = write_case(directory, name, CASES[name])
        size = sum(os.path.getsize(os.path.join(directory, file)) for file in os.listdir(directory))
        print(f"{name:20} {size / 1000:6.0f} kB  float32 gradient error "
              f"{hints['fp32_grad_rel_l2_err']['max']:.1e}")


if __name__ == "__main__":
    main()
