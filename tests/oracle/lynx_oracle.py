"""A plain float64 model of Lynx with PyTorch autograd: the oracle for the trainer.

ViT (frozen) -> bridge (resampler, affine or mlp) -> LLaMA with bottleneck adapters, written as
functions over a dictionary {released parameter name: tensor}, so that a line here is a line of the
model's definition. Shapes: B samples, F frames, N vision tokens per frame, Dv their width, P visual
prefix tokens, T text tokens, S = P + T, D hidden, V vocabulary. `make_case.py` and
`make_adamw_turns.py` make reference cases with it, `check_case.py` compares it with cases on disk.
Written for clarity, not speed: complete float64 attention matrices, nothing fused.
"""
import dataclasses
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F

from tensor_files import read_tensors

NOT_SCORED = -100


# ---------------------------------------------------------------- parts that stay in float32

def wide(x):
    """bfloat16 -> float32, others unchanged: the dtype of norms, angles and the loss."""
    return x.float() if x.dtype == torch.bfloat16 else x


def layer_norm(x, p, name, eps):
    """As PyTorch does on GPUs; on CPUs its bfloat16 kernel would sum gradients in bfloat16."""
    y = F.layer_norm(wide(x), x.shape[-1:], wide(p[name + ".weight"]), wide(p[name + ".bias"]), eps)
    return y.to(x.dtype)


# ---------------------------------------------------------------- vision encoder (forward only)

def resize_position_embedding(embedding, patches):
    """[1, 1+g*g, D] -> [1, 1+patches*patches, D]: the patch grid bicubically, the CLS row unchanged.

    Bicubic with a = -0.75, align_corners=False (source = (i + 0.5) * g / patches - 0.5), no
    antialiasing, taps outside the grid clamped to its border.
    """
    cls_row, grid = embedding[:, :1], embedding[:, 1:]
    side = math.isqrt(grid.shape[1])
    if side == patches:
        return embedding
    grid = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(patches, patches), mode="bicubic", align_corners=False)
    return torch.cat([cls_row, grid.permute(0, 2, 3, 1).reshape(1, patches * patches, -1)], dim=1)


def vision_encoder(p, config, pixels):
    """pixels [B, 3, R, R] -> [B, 1 + patches, Dv]; CLS included, no final norm."""
    eps, heads = config["vit"]["norm_eps"], config["vit"]["num_heads"]
    patch = config["vit"]["patch_size"]
    prefix = "vision_encoder."
    x = F.conv2d(pixels, p[prefix + "patch_embed.proj.weight"], p[prefix + "patch_embed.proj.bias"],
                 stride=patch)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([p[prefix + "cls_token"].expand(x.shape[0], -1, -1), x], dim=1)
    x = x + resize_position_embedding(p[prefix + "pos_embed"], pixels.shape[-1] // patch)
    width = x.shape[-1]

    def split(y):
        return y.reshape(*y.shape[:2], heads, width // heads).transpose(1, 2)

    for layer in range(config["vit"]["depth"]):
        block = f"{prefix}blocks.{layer}."
        y = layer_norm(x, p, block + "norm1", eps)
        q = split(F.linear(y, p[block + "attn.q_proj.weight"], p[block + "attn.q_proj.bias"]))
        k = split(F.linear(y, p[block + "attn.k_proj.weight"]))
        v = split(F.linear(y, p[block + "attn.v_proj.weight"], p[block + "attn.v_proj.bias"]))
        scores = q @ k.transpose(-1, -2) * (width // heads) ** -0.5
        y = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(y, p[block + "attn.proj.weight"], p[block + "attn.proj.bias"])
        y = layer_norm(x, p, block + "norm2", eps)
        y = F.gelu(F.linear(y, p[block + "mlp.fc1.weight"], p[block + "mlp.fc1.bias"]))
        x = x + F.linear(y, p[block + "mlp.fc2.weight"], p[block + "mlp.fc2.bias"])
    return x


# ---------------------------------------------------------------- bridges

def resampler(p, config, vision):
    """vision [B, M, Dv] -> [B, latents, D]; keys and values come from the vision tokens only."""
    heads, eps = config["lynx"]["bridge_heads"], config["layer_norm_eps"]["bridge"]
    head_dim = config["lynx"]["bridge_dim_head"]
    latents = p["bridge.latents"].expand(vision.shape[0], -1, -1)

    def norm(x, name):
        return layer_norm(x, p, name, eps)

    def split(y):
        return y.reshape(*y.shape[:2], heads, head_dim).transpose(1, 2)

    for layer in range(config["lynx"]["bridge_depth"]):
        attention, mlp = f"bridge.layers.{layer}.0.", f"bridge.layers.{layer}.1."
        media = norm(vision, attention + "norm_media")
        q = F.linear(norm(latents, attention + "norm_latents"), p[attention + "to_q.weight"])
        k, v = F.linear(media, p[attention + "to_kv.weight"]).chunk(2, dim=-1)
        scores = (split(q) * head_dim ** -0.5) @ split(k).transpose(-1, -2)
        y = (scores.softmax(-1) @ split(v)).transpose(1, 2).flatten(2)
        latents = latents + F.linear(y, p[attention + "to_out.weight"])
        y = F.gelu(F.linear(norm(latents, mlp + "0"), p[mlp + "1.weight"]))
        latents = latents + F.linear(y, p[mlp + "3.weight"])
    return norm(latents, "bridge.norm")


def bridge(p, config, vision):
    """vision [B, M, Dv] -> visual prefix [B, P, D] by the bridge that the case names."""
    kind, eps = config["lynx"]["bridge"], config["layer_norm_eps"]["bridge"]
    if kind == "resampler":
        return resampler(p, config, vision)
    if config["lynx"]["add_vision_ln"]:
        vision = layer_norm(vision, p, "bridge.ln_vision", eps)
    if kind == "affine":
        return F.linear(vision, p["bridge.mlp.weight"], p["bridge.mlp.bias"])
    assert kind == "mlp", kind
    y = F.linear(vision, p["bridge.mlp.0.weight"], p["bridge.mlp.0.bias"])
    y = layer_norm(y, p, "bridge.mlp.1", eps)
    return F.linear(F.gelu(y), p["bridge.mlp.3.weight"], p["bridge.mlp.3.bias"])


# ---------------------------------------------------------------- language model

def rms_norm(x, weight, eps):
    inverse_rms = (wide(x).square().mean(-1, keepdim=True) + eps).rsqrt()
    return (weight * wide(x) * inverse_rms).to(x.dtype)


def rotate(x, positions, theta):
    """Rotary embedding of x [B, H, S, d] at positions [S], first half paired with second half."""
    d = x.shape[-1]
    frequency = theta ** (-torch.arange(0, d, 2, dtype=wide(x).dtype) / d)
    angle = positions.to(frequency.dtype)[:, None] * frequency[None, :]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def attention_bias(mask, dtype):
    """mask [B, S] of 0/1 -> additive [B, 1, S, S]; a fully masked row becomes uniform over all."""
    length, lowest = mask.shape[1], torch.finfo(dtype).min
    causal = torch.full((length, length), lowest, dtype=dtype).triu(1)
    padding = torch.zeros(mask.shape, dtype=dtype).masked_fill(mask == 0, lowest)
    return (causal[None, None] + padding[:, None, None, :]).clamp(min=lowest)


def adapter(p, config, layer, h):
    name = f"LLM.model.layers.{layer}.output_adapter."
    y = layer_norm(h, p, name + "adapter_norm_before", config["layer_norm_eps"]["adapter"])
    y = F.silu(F.linear(y, p[name + "adapter_down.weight"], p[name + "adapter_down.bias"]))
    y = F.linear(y, p[name + "adapter_up.weight"], p[name + "adapter_up.bias"])
    return h + p[name + "scaling"] * y


def language_model(p, config, x, mask):
    """x [B, S, D], mask [B, S] -> logits [B, S, V]. Positions count all rows, pads included."""
    llm = config["llm"]
    eps, heads = llm["rms_norm_eps"], llm["num_attention_heads"]
    kv_heads = llm.get("num_key_value_heads", heads)
    head_dim = llm["hidden_size"] // heads
    theta, positions = config["rope_theta"], torch.arange(x.shape[1])
    bias = attention_bias(mask, x.dtype)

    def split(y, count):
        return y.reshape(*y.shape[:2], count, head_dim).transpose(1, 2)

    for layer in range(llm["num_hidden_layers"]):
        name = f"LLM.model.layers.{layer}."
        y = rms_norm(x, p[name + "input_layernorm.weight"], eps)
        q = split(F.linear(y, p[name + "self_attn.q_proj.weight"]), heads)
        q = rotate(q, positions, theta)
        k = split(F.linear(y, p[name + "self_attn.k_proj.weight"]), kv_heads)
        k = rotate(k, positions, theta)
        v = split(F.linear(y, p[name + "self_attn.v_proj.weight"]), kv_heads)
        # Query head h reads key/value head h / (heads / kv_heads).
        k = k.repeat_interleave(heads // kv_heads, dim=1)
        v = v.repeat_interleave(heads // kv_heads, dim=1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(head_dim) + bias
        scores = scores.clamp(min=torch.finfo(x.dtype).min)
        y = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = x + F.linear(y, p[name + "self_attn.o_proj.weight"])
        y = rms_norm(x, p[name + "post_attention_layernorm.weight"], eps)
        gate = F.silu(F.linear(y, p[name + "mlp.gate_proj.weight"]))
        y = gate * F.linear(y, p[name + "mlp.up_proj.weight"])
        x = x + F.linear(y, p[name + "mlp.down_proj.weight"])
        if layer in config["adapter_layers"]:
            x = adapter(p, config, layer, x)
    x = rms_norm(x, p["LLM.model.norm.weight"], eps)
    return F.linear(x, p["LLM.lm_head.weight"])


# ---------------------------------------------------------------- the whole model

def prepend_prefix(inputs, prefix):
    """attention_mask, labels [B, T] with P prefix columns in front (seen, not scored)."""
    rows = inputs["input_ids"].shape[0]
    ones = torch.ones(rows, prefix, dtype=torch.int64)
    mask = torch.cat([ones, inputs["attention_mask"]], dim=1)
    labels = torch.cat([ones * NOT_SCORED, inputs["labels"]], dim=1)
    return mask, labels


def loss_of(logits, labels, label_smoothing):
    """Mean over every scored label of the whole batch; row i predicts the label of row i + 1."""
    return F.cross_entropy(wide(logits[:, :-1].flatten(0, 1)), labels[:, 1:].flatten(),
                           ignore_index=NOT_SCORED, label_smoothing=label_smoothing)


def encode_images(p, config, pixels):
    """pixels [B, 3, R, R] or [B, F, 3, R, R] -> [B, N, Dv] or [B, F, N, Dv], no gradient."""
    with torch.no_grad():
        pixels = pixels.to(p["vision_encoder.cls_token"].dtype)
        if pixels.dim() == 4:
            return vision_encoder(p, config, pixels)
        features = vision_encoder(p, config, pixels.flatten(0, 1))
        return features.reshape(*pixels.shape[:2], *features.shape[1:])


def forward(p, config, inputs, features=None, label_smoothing=None):
    """Runs a case's batch. Returns every activation that a case stores, as a dictionary.

    `features`: those of the ViT, if already computed; it is frozen, so a run computes them once.
    """
    out = {}
    x = F.embedding(inputs["input_ids"], p["LLM.model.embed_tokens.weight"])
    prefix = 0
    if "pixels" in inputs:
        out["vision_features"] = features if features is not None else encode_images(
            p, config, inputs["pixels"])
        vision = out["vision_features"]
        if vision.dim() == 4:
            if config["lynx"]["add_frame_pos"]:
                vision = vision + p["absolute_frame_pos_embed"]
            vision = vision.flatten(1, 2)
            out["bridge_input"] = vision
        out["bridge_output"] = bridge(p, config, vision)
        prefix = out["bridge_output"].shape[1]
        x = torch.cat([out["bridge_output"], x], dim=1)
    if x.requires_grad:
        x.retain_grad()
    else:
        x.requires_grad_()
    out["inputs_embeds"] = x
    out["attention_mask_full"], out["labels_full"] = prepend_prefix(inputs, prefix)
    out["logits"] = language_model(p, config, x, out["attention_mask_full"])
    smoothing = config["lynx"]["label_smoothing"] if label_smoothing is None else label_smoothing
    out["loss"] = loss_of(out["logits"], out["labels_full"], smoothing).reshape(1)
    return out


def is_trainable(name, config):
    if name.startswith("bridge.") or name == "absolute_frame_pos_embed" or "adapter" in name:
        return True
    return "llm" in config.get("trainable", []) and name.startswith("LLM.")


def make_parameters(weights, config, dtype=torch.float64):
    """Leaves of all weights in `dtype`; exactly the trainable ones require a gradient."""
    return {name: value.to(dtype, copy=True).requires_grad_(is_trainable(name, config))
            for name, value in weights.items() if not name.endswith("inv_freq")}


def gradients(parameters):
    return {name: value.grad.clone() for name, value in parameters.items()
            if value.requires_grad and value.grad is not None}


@dataclasses.dataclass
class Run:
    """The result of an AdamW run: trained parameters, optimizer state, and losses."""
    parameters: dict  # name: tensor, the trained ones only
    state: dict  # name: torch's own state (step, exp_avg, exp_avg_sq), empty when never updated
    losses: list  # before each update
    grad_norms: list  # before clipping
    skipped: list  # names without gradient, for each update
    loss_after: float  # of the last batch, after the last update

    def step_counts(self):
        return {name: int(state["step"]) if state else 0 for name, state in self.state.items()}

    def trajectory(self):
        return {"losses": self.losses, "grad_norms_before_clip": self.grad_norms,
                "loss_after_last_step": self.loss_after}


def train(weights, config, batches, training=None, frozen=()):
    """One torch.optim.AdamW update per batch. `frozen` names parameters to leave out."""
    training = training or config["training"]
    parameters = make_parameters(weights, config)
    for name in frozen:
        parameters[name].requires_grad_(False)
    chosen = {name: value for name, value in parameters.items() if value.requires_grad}
    optimizer = torch.optim.AdamW(
        chosen.values(), lr=training["lr"], betas=tuple(training["betas"]), eps=training["eps"],
        weight_decay=training["weight_decay"])
    features = {id(batch): encode_images(parameters, config, batch["pixels"])
                for batch in batches if "pixels" in batch}
    losses, norms, skipped = [], [], []
    for batch in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = forward(parameters, config, batch, features.get(id(batch)))["loss"]
        loss.backward()
        skipped.append(sorted(name for name, value in chosen.items() if value.grad is None))
        norm = torch.nn.utils.clip_grad_norm_(chosen.values(), training["max_grad_norm"])
        losses.append(loss.item())
        norms.append(norm.item())
        optimizer.step()
    with torch.no_grad():
        after = forward(parameters, config, batches[-1], features.get(id(batches[-1])))["loss"]
    state = {name: optimizer.state.get(value, {}) for name, value in chosen.items()}
    values = {name: value.detach() for name, value in chosen.items()}
    return Run(values, state, losses, norms, skipped, after.item())


# ---------------------------------------------------------------- cases on disk

def load_weights(case_dir):
    path = os.path.join(case_dir, "weights.safetensors")
    if os.path.exists(path):
        return read_tensors(path)
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "weights.safetensors")
        maker = os.path.join(case_dir, "..", "make_weights.py")
        subprocess.run([sys.executable, maker, case_dir, path], check=True,
                       stdout=subprocess.DEVNULL)
        return read_tensors(path)


def load_case(case_dir):
    """(config, weights, inputs) of a case directory."""
    with open(os.path.join(case_dir, "config.json")) as file:
        config = json.load(file)
    return config, load_weights(case_dir), read_tensors(
        os.path.join(case_dir, "inputs.safetensors"))
