"""Lynx in idiomatic PyTorch modules, the peer that the trainer's speed is compared with.

The modules carry the released parameter names, so a state_dict of a reference case loads and
shows that it is the same model. ViT under no_grad, LLM frozen (requires_grad False, so no weight
gradients are computed), bridge and adapters trained. Attention is F.scaled_dot_product_attention
where torch has it (2.0 and later), otherwise the plain products that Hugging Face's LLaMA uses.
"""
import torch
import torch.nn.functional as F
from torch import nn

HAS_FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")
NOT_SCORED = -100

# The presets of the trainer: configs/model/tiny.ini, mid.ini, lynx-llama-7b.ini.
TINY = {
    "vit": {"img_size": 84, "patch_size": 14, "embed_dim": 96, "depth": 2, "num_heads": 4,
            "mlp_hidden": 384, "norm_eps": 1e-6},
    "lynx": {"bridge_depth": 2, "num_bridge_tokens": 16, "bridge_dim_head": 32, "bridge_heads": 4,
             "adapter_freq": 1, "adapter_bottleneck": 256},
    "llm": {"hidden_size": 128, "intermediate_size": 344, "num_hidden_layers": 4,
            "num_attention_heads": 4, "vocab_size": 32001, "rms_norm_eps": 1e-6},
}
MID = {
    "vit": {"img_size": 224, "patch_size": 14, "embed_dim": 512, "depth": 8, "num_heads": 8,
            "mlp_hidden": 2048, "norm_eps": 1e-6},
    "lynx": {"bridge_depth": 3, "num_bridge_tokens": 32, "bridge_dim_head": 64, "bridge_heads": 8,
             "adapter_freq": 2},
    "llm": {"hidden_size": 1024, "intermediate_size": 2752, "num_hidden_layers": 8,
            "num_attention_heads": 16, "vocab_size": 8000, "rms_norm_eps": 1e-6},
}
SEVEN_B = {
    "vit": {"img_size": 224, "patch_size": 14, "embed_dim": 1408, "depth": 39, "num_heads": 16,
            "mlp_hidden": 6144, "norm_eps": 1e-6},
    "lynx": {"bridge_depth": 3, "num_bridge_tokens": 32, "bridge_dim_head": 64, "bridge_heads": 8,
             "adapter_freq": 2},
    "llm": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
            "num_attention_heads": 32, "vocab_size": 32001, "rms_norm_eps": 1e-6},
}


def attention(q, k, v, causal=False, causal_bias=None):
    """q [B, H, S, d], k and v [B, H, M, d] -> [B, S, H * d]; the bias is for plain products."""
    if HAS_FUSED_ATTENTION:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    else:
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if causal:
            scores = scores + causal_bias
        y = scores.softmax(-1) @ v
    return y.transpose(1, 2).flatten(2)


def split_heads(x, heads):
    return x.unflatten(-1, (heads, x.shape[-1] // heads)).transpose(1, 2)


class VisionAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (split_heads(f(x), self.heads) for f in (self.q_proj, self.k_proj, self.v_proj))
        return self.proj(attention(q, k, v))


class VisionMlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class VisionBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, eps = config["embed_dim"], config["norm_eps"]
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attn = VisionAttention(width, config["num_heads"])
        self.mlp = VisionMlp(width, config["mlp_hidden"])

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbedding(nn.Module):
    def __init__(self, width, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, pixels):
        return self.proj(pixels).flatten(2).transpose(1, 2)


class VisionEncoder(nn.Module):
    """pixels [B, 3, R, R] -> [B, 1 + patches, width], without a final norm."""

    def __init__(self, config):
        super().__init__()
        width, patches = config["embed_dim"], (config["img_size"] // config["patch_size"]) ** 2
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + patches, width))
        self.patch_embed = PatchEmbedding(width, config["patch_size"])
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config["depth"]))

    def forward(self, pixels):
        x = self.patch_embed(pixels)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x


class PerceiverAttention(nn.Module):
    def __init__(self, media_width, width, heads, head_dim):
        super().__init__()
        self.heads, inner = heads, heads * head_dim
        self.norm_media, self.norm_latents = nn.LayerNorm(media_width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(media_width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, media, latents):
        q = self.to_q(self.norm_latents(latents))
        k, v = self.to_kv(self.norm_media(media)).chunk(2, dim=-1)
        q, k, v = (split_heads(x, self.heads) for x in (q, k, v))
        return self.to_out(attention(q, k, v))


class Resampler(nn.Module):
    """vision [B, N, Dv] -> [B, latents, D]."""

    def __init__(self, config, media_width, width):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(config["num_bridge_tokens"], width))
        self.layers = nn.ModuleList(
            nn.ModuleList([
                PerceiverAttention(media_width, width, config["bridge_heads"],
                                   config["bridge_dim_head"]),
                nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width, bias=False),
                              nn.GELU(), nn.Linear(4 * width, width, bias=False)),
            ]) for _ in range(config["bridge_depth"]))
        self.norm = nn.LayerNorm(width)

    def forward(self, vision):
        latents = self.latents.expand(len(vision), -1, -1)
        for perceive, mlp in self.layers:
            latents = latents + perceive(vision, latents)
            latents = latents + mlp(latents)
        return self.norm(latents)


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        if hasattr(F, "rms_norm"):
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps))


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


class LlamaAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, causal_bias):
        q, k, v = (split_heads(f(x), self.heads) for f in (self.q_proj, self.k_proj, self.v_proj))
        q = q * cos + rotate_half(q) * sin
        k = k * cos + rotate_half(k) * sin
        return self.o_proj(attention(q, k, v, True, causal_bias))


class LlamaMlp(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Adapter(nn.Module):
    def __init__(self, width, bottleneck):
        super().__init__()
        self.adapter_norm_before = nn.LayerNorm(width)
        self.adapter_down = nn.Linear(width, bottleneck)
        self.adapter_up = nn.Linear(bottleneck, width)
        self.scaling = nn.Parameter(torch.ones(1))
        for linear in (self.adapter_down, self.adapter_up):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)

    def forward(self, x):
        y = self.adapter_up(F.silu(self.adapter_down(self.adapter_norm_before(x))))
        return x + self.scaling * y


class LlamaLayer(nn.Module):
    def __init__(self, config, bottleneck):
        super().__init__()
        width, eps = config["hidden_size"], config["rms_norm_eps"]
        self.input_layernorm = RmsNorm(width, eps)
        self.post_attention_layernorm = RmsNorm(width, eps)
        self.self_attn = LlamaAttention(width, config["num_attention_heads"])
        self.mlp = LlamaMlp(width, config["intermediate_size"])
        self.output_adapter = Adapter(width, bottleneck) if bottleneck else nn.Identity()

    def forward(self, x, cos, sin, causal_bias):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, causal_bias)
        x = x + self.mlp(self.post_attention_layernorm(x))
        return self.output_adapter(x)


class LlamaModel(nn.Module):
    def __init__(self, config, lynx):
        super().__init__()
        every = lynx["adapter_freq"]
        bottleneck = lynx.get("adapter_bottleneck", config["hidden_size"] // 2)
        self.head_dim = config["hidden_size"] // config["num_attention_heads"]
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(LlamaLayer(config, bottleneck if layer % every == 0 else 0)
                                    for layer in range(config["num_hidden_layers"]))
        self.norm = RmsNorm(config["hidden_size"], config["rms_norm_eps"])

    def forward(self, x):
        length = x.shape[1]
        pairs = torch.arange(0, self.head_dim, 2, device=x.device).float()
        positions = torch.arange(length, device=x.device).float()
        angle = torch.outer(positions, 10000.0 ** (-pairs / self.head_dim)).repeat(1, 2)
        cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
        causal_bias = None
        if not HAS_FUSED_ATTENTION:
            causal_bias = torch.full((length, length), torch.finfo(x.dtype).min).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, causal_bias)
        return self.norm(x)


class LlamaForCausalLM(nn.Module):
    def __init__(self, config, lynx):
        super().__init__()
        self.model = LlamaModel(config, lynx)
        self.lm_head = nn.Linear(config["hidden_size"], config["vocab_size"], bias=False)

    def forward(self, x):
        return self.lm_head(self.model(x))


class Lynx(nn.Module):
    """pixels [B, 3, R, R], token_ids and labels [B, T] -> mean loss over the scored labels."""

    def __init__(self, config):
        super().__init__()
        lynx, width = config["lynx"], config["llm"]["hidden_size"]
        self.vision_encoder = VisionEncoder(config["vit"])
        self.bridge = Resampler(lynx, config["vit"]["embed_dim"], width)
        self.LLM = LlamaForCausalLM(config["llm"], lynx)
        self.vision_encoder.requires_grad_(False)
        for name, parameter in self.LLM.named_parameters():
            parameter.requires_grad_("adapter" in name)

    def forward(self, pixels, token_ids, labels):
        with torch.no_grad():
            vision = self.vision_encoder(pixels)
        visual = self.bridge(vision)
        x = torch.cat([visual, self.LLM.model.embed_tokens(token_ids)], dim=1)
        prefix = labels.new_full(visual.shape[:2], NOT_SCORED)
        labels = torch.cat([prefix, labels], dim=1)
        logits = self.LLM(x)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(),
                               ignore_index=NOT_SCORED)

    def trained_parameters(self):
        return [parameter for parameter in self.parameters() if parameter.requires_grad]
