"""Lynx on a device in PyTorch for device_step.py: the modules of lynx_modules.py in bf16 (or f32),
batches of equal or of mixed lengths, AdamW on f32 masters.

Equal lengths: [visual tokens; text] without padding, the head on the text rows only.
Mixed lengths: micro-batches of some samples, each padded on the right to the longest (rounded up to
a multiple of 8), as collators pad; causal attention never sees the padding on the right, so that no mask is needed and every attention backend may run. The head runs on all rows, as Hugging
Face's models do. Images and videos go through the resampler in separate groups.
"""
import torch
import torch.nn.functional as F
from torch import nn

from lynx_modules import NOT_SCORED, Lynx

PAD_MULTIPLE = 8


class DeviceLynx(Lynx):
    """forward(batch) -> the sum of the losses of the scored tokens."""

    def __init__(self, config, frames):
        super().__init__(config)
        width = config["vit"]["embed_dim"]
        self.absolute_frame_pos_embed = nn.Parameter(torch.zeros(1, frames, 1, width))
        self.sum_loss = sum_loss

    def see(self, pixels):
        """[N, frames, 3, R, R] -> visual tokens [N, latents, hidden]."""
        count, frames = pixels.shape[:2]
        with torch.no_grad():
            vision = self.vision_encoder(pixels.flatten(0, 1))
        vision = vision.unflatten(0, (count, frames))
        if frames > 1:
            vision = vision + self.absolute_frame_pos_embed[:, :frames]
        return self.bridge(vision.flatten(1, 2))

    def forward(self, batch):
        if batch["equal"]:
            visual = self.see(batch["media"][0])
            x = torch.cat([visual, self.LLM.model.embed_tokens(batch["token_ids"])], dim=1)
            # The last visual row's target is the first text token, which is not scored.
            hidden = self.LLM.model(x)[:, visual.shape[1]:-1]
            return self.sum_loss(self.LLM.lm_head(hidden), batch["token_ids"][:, 1:])
        x = self.LLM.model.embed_tokens(batch["token_ids"])
        if batch["media"]:
            visual = torch.cat([self.see(pixels).flatten(0, 1) for pixels in batch["media"]])
            x = x.flatten(0, 1).index_copy(0, batch["visual_rows"], visual).view(x.shape)
        logits = self.LLM(x)
        return self.sum_loss(logits[:, :-1], batch["labels"][:, 1:])


def sum_loss(logits, labels):
    """In f32, as Hugging Face's models compute it."""
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(),
                           ignore_index=NOT_SCORED, reduction="sum")


def make_model(config, frames, device, dtype):
    """Random weights, made on the device in the precision that they are kept in."""
    torch.manual_seed(1)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return DeviceLynx(config, frames)
    finally:
        torch.set_default_dtype(before)


def compile_blocks(model):
    """Each repeated block by itself: PyTorch's regional compilation, minutes less than the whole."""
    blocks = list(model.vision_encoder.blocks) + list(model.LLM.model.layers)
    for perceive, mlp in model.bridge.layers:
        blocks += [perceive, mlp]
    for block in blocks:
        block.compile()
    model.sum_loss = torch.compile(sum_loss)


class MasterAdamW:
    """Fused AdamW on f32 masters of the trained parameters, gradients summed in f32 over
    micro-batches and clipped together."""

    def __init__(self, parameters, fused, lr=1e-4, max_norm=1.0):
        self.used, self.max_norm = parameters, max_norm
        self.own_masters = parameters[0].dtype != torch.float32
        self.masters = [parameter.detach().float().requires_grad_() if self.own_masters
                        else parameter for parameter in parameters]
        self.adamw = torch.optim.AdamW(self.masters, lr=lr, weight_decay=0.01, fused=fused)

    def zero(self):
        for parameter in self.used + self.masters:
            parameter.grad = None

    def collect(self):
        """After the backward of a micro-batch: adds its gradients to the masters."""
        if not self.own_masters:
            return
        kept, new = [], []
        for used, master in zip(self.used, self.masters):
            if used.grad is None:
                continue
            if master.grad is None:
                master.grad = used.grad.float()
            else:
                kept.append(master.grad)
                new.append(used.grad)
            used.grad = None
        if kept:
            torch._foreach_add_(kept, [gradient.float() for gradient in new])

    def step(self):
        torch.nn.utils.clip_grad_norm_(self.masters, self.max_norm)
        self.adamw.step()
        if self.own_masters:
            with torch.no_grad():
                torch._foreach_copy_(self.used, self.masters)


class Batches:
    """The micro-batches of one step: sizes are fixed, the text is new each step."""

    def __init__(self, config, sizes, micro_batch, equal, device, dtype, by_length):
        self.vocab = config["llm"]["vocab_size"]
        self.latents = config["lynx"]["num_bridge_tokens"]
        self.equal, self.device = equal, device
        side = config["vit"]["img_size"]
        order = sorted(sizes, key=self.rows_of) if by_length else sizes
        self.groups = [order[begin:begin + micro_batch]
                       for begin in range(0, len(order), micro_batch)]
        most = max(sum(frames for frames, _ in group) for group in self.groups)
        generator = torch.Generator(device).manual_seed(1)
        self.pixels = torch.randn(most, 3, side, side, generator=generator, device=device,
                                  dtype=dtype)
        self.scored = sum(text - 1 for _, text in sizes)
        self.rows = sum(self.rows_of(size) for size in sizes)
        self.pictures = sum(frames for frames, _ in sizes)
        self.layouts = [None if equal else self.lay_out(group) for group in self.groups]
        self.padded_rows = self.rows if equal else sum(
            layout["token_ids"].numel() for layout in self.layouts)

    def rows_of(self, size):
        frames, text = size
        return (self.latents if frames else 0) + text

    def media(self, group):
        """A tensor [samples, frames, 3, R, R] for each number of frames that occurs."""
        found, first = [], 0
        for frames in sorted({frames for frames, _ in group if frames}):
            count = sum(frames == other for other, _ in group)
            pictures = self.pixels[first:first + count * frames]
            found.append(pictures.unflatten(0, (count, frames)))
            first += count * frames
        return found

    def lay_out(self, group):
        width = max(self.rows_of(size) for size in group)
        width = -(-width // PAD_MULTIPLE) * PAD_MULTIPLE
        text_rows, visual_rows = [], []
        scored = torch.zeros(len(group), width, dtype=torch.bool)
        for index, (frames, text) in enumerate(group):
            begin = self.latents if frames else 0
            text_rows += range(index * width + begin, index * width + begin + text)
            scored[index, begin + 1:begin + text] = True
        for kind in sorted({frames for frames, _ in group if frames}):
            for index, (frames, _) in enumerate(group):
                if frames == kind:
                    visual_rows += range(index * width, index * width + self.latents)
        rows = torch.zeros(len(group), width, dtype=torch.bool)
        rows.view(-1)[text_rows] = True
        return {"token_ids": torch.zeros(len(group), width, dtype=torch.long), "text": rows,
                "scored": scored.to(self.device),
                "visual_rows": torch.tensor(visual_rows, dtype=torch.long, device=self.device)}

    def draw(self, generator):
        """The micro-batches of a step, on the device."""
        for group, layout in zip(self.groups, self.layouts):
            media = self.media(group)
            if self.equal:
                shape = (len(group), group[0][1])
                ids = torch.randint(0, self.vocab, shape, generator=generator)
                yield {"equal": True, "media": media,
                       "token_ids": ids.to(self.device, non_blocking=True)}
                continue
            ids = torch.randint(0, self.vocab, layout["token_ids"].shape, generator=generator)
            ids = (ids * layout["text"]).to(self.device, non_blocking=True)
            yield {"equal": False, "media": media, "token_ids": ids,
                   "labels": ids.masked_fill(~layout["scored"], NOT_SCORED),
                   "visual_rows": layout["visual_rows"]}
