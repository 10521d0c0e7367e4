#!/usr/bin/env python3
"""Memory and disk that a training run needs, computed from its config.

    tools/sizes.py [--lynceus PROGRAM] OPTIONS OF `lynceus train`...

    tools/sizes.py --config configs/model/lynx-vicuna-7b.ini --model.vocab_size 32001 \\
        --precision bf16 --parallel.tensor 2 --parallel.pipeline 2

The config is resolved by the program itself (build/release/lynceus by default). Figures of the layout are
those of the rank that needs the most. docs/sizes.md has the formulas. Only the resampler as bridge.
"""

import os
import re
import subprocess
import sys

F32 = 4
VALUE = re.compile(r"(?:\[(?P<section>\w+)\])|(?:(?P<key>[\w-]+) = (?P<value>.*?) +# .*)")


def read_config(arguments):
    """{key: text} of every config key, as `lynceus train ... --print-config` resolves them."""
    program = "build/release/lynceus"
    if arguments[:1] == ["--lynceus"]:
        program, arguments = arguments[1], arguments[2:]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run([program, "train", *arguments, "--print-config"], env=environment, text=True,
                          stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(done.returncode)
    config, section = {}, ""
    for line in done.stdout.splitlines():
        found = VALUE.match(line)
        if found and found["section"]:
            section = found["section"] + "."
        elif found:
            config[section + found["key"]] = found["value"].strip()
    return config


class Model:
    """The sizes of a config, under the names of the formulas in docs/sizes.md."""

    def __init__(self, config):
        def number(key):
            return int(config[key])

        if config["bridge.kind"] != "resampler":
            sys.exit("tools/sizes.py: bridge.kind: expected resampler, found " + config["bridge.kind"])
        if config["model.vocab_size"] == "auto":
            sys.exit("tools/sizes.py: model.vocab_size: expected a number (pieces of the tokenizer + 1), found auto")
        self.trains = [part.strip() for part in config["model.train"].split(",")]
        self.bytes = 2 if config["precision"] == "bf16" else F32
        self.ranks = number("parallel.tensor")
        self.stages = number("parallel.pipeline")
        self.hidden = number("model.hidden_size")
        self.mlp = number("model.intermediate_size")
        self.layers = number("model.num_layers")
        self.heads = number("model.num_heads")
        self.kv_width = (number("model.num_kv_heads") or self.heads) * self.hidden // self.heads
        self.vocabulary = number("model.vocab_size")
        self.tied = config["model.tie_word_embeddings"] == "true"
        self.patches = 1 + (number("vision.image_size") // number("vision.patch_size"))**2
        self.patch_size = number("vision.patch_size")
        self.image_size = number("vision.image_size")
        self.vision = number("vision.hidden_size")
        self.vision_mlp = number("vision.intermediate_size")
        self.vision_layers = number("vision.num_layers")
        self.frames = number("vision.num_frames") if config["vision.frame_position"] == "true" else 0
        self.latents = number("bridge.num_latents")
        self.bridge_layers = number("bridge.num_layers")
        self.inner = number("bridge.num_heads") * number("bridge.head_dim")
        self.factor = number("bridge.intermediate_factor")
        self.adapter_every = number("adapter.every")
        self.bottleneck = number("adapter.bottleneck_size") or self.hidden // 2
        self.micro_batch_tokens = number("train.micro_batch_tokens")
        self.recompute = config["train.recompute"] == "layer"
        self.schedule = config["parallel.schedule"]
        if self.schedule not in ("1f1b", "eager"):
            sys.exit("tools/sizes.py: parallel.schedule: expected 1f1b or eager, found " + self.schedule)

    def has_adapter(self, layer):
        return self.adapter_every > 0 and layer % self.adapter_every == 0

    # Parameters: {module: (matrices, vectors)}, in elements. `parts` is the number of tensor ranks.

    def layer_parameters(self, layer, parts):
        hidden, mlp = self.hidden, self.mlp
        sizes = {"llm": ((2 * hidden * (hidden + self.kv_width) + 3 * hidden * mlp) // parts, 2 * hidden)}
        if self.has_adapter(layer):
            width = self.bottleneck // parts
            sizes["adapter"] = (2 * hidden * width, width + 3 * hidden + 1)
        return sizes

    def vocabulary_rows(self, parts):
        return -(-self.vocabulary // parts)

    def vision_parameters(self):
        width, mlp = self.vision, self.vision_mlp
        matrices = 3 * self.patch_size**2 * width + self.vision_layers * (4 * width**2 + 2 * width * mlp)
        vectors = width * (2 + self.patches) + self.vision_layers * (8 * width + mlp)
        return matrices, vectors

    def bridge_parameters(self):
        width = self.hidden
        layer = (2 * self.inner * width + 2 * self.inner * self.vision + 2 * self.factor * width**2,
                 2 * self.vision + 4 * width)
        return (self.latents * width + self.bridge_layers * layer[0],
                self.frames * self.vision + self.bridge_layers * layer[1] + 2 * width)

    def stage_parameters(self, stage, layers, parts):
        """{module: (matrices, vectors)} of one rank of a stage; parts = 1: of the whole stage."""
        sizes = {"vision": self.vision_parameters(), "bridge": self.bridge_parameters()}

        def add(module, matrices, vectors):
            before = sizes.get(module, (0, 0))
            sizes[module] = (before[0] + matrices, before[1] + vectors)

        for layer in layers:
            for module, (matrices, vectors) in self.layer_parameters(layer, parts).items():
                add(module, matrices, vectors)
        if stage == 0:
            add("llm", self.vocabulary_rows(parts) * self.hidden, 0)
        if stage == self.stages - 1:
            # A tied head is the embedding itself, or on another stage a copy of it.
            rows = 0 if self.tied and stage == 0 else self.vocabulary_rows(parts)
            add("llm", rows * self.hidden, self.hidden)
        return sizes

    def all_parameters(self):
        whole = dict(vars(self), stages=1)
        model = Model.__new__(Model)
        model.__dict__.update(whole)
        return {module: sum(sizes) for module, sizes in model.stage_parameters(0, range(self.layers), 1).items()}

    def partition(self):
        """The layers of each stage: the smallest largest cost, then the smallest sum of squares."""
        hidden = self.hidden
        passes = 3 if "llm" in self.trains else 2
        layer = passes * (2 * hidden * (hidden + self.kv_width) + 3 * hidden * self.mlp)
        adapter = (3 if "adapter" in self.trains else 2) * 2 * hidden * self.bottleneck
        costs = [layer + (adapter if self.has_adapter(i) else 0) for i in range(self.layers)]
        head = passes * hidden * self.vocabulary

        def cost(stage, begin, end):
            return (sum(costs[begin:end]) + (hidden if stage == 0 else 0) +
                    (head if stage == self.stages - 1 else 0))

        def best(combine):
            value = {0: (0, [])}
            for stage in range(self.stages):
                following = {}
                for end in range(stage + 1, self.layers + 1):
                    options = [(combine(value[begin][0], cost(stage, begin, end)), value[begin][1] + [(begin, end)])
                               for begin in value if begin < end]
                    options = [option for option in options if option[0] is not None]
                    if options:
                        following[end] = min(options, key=lambda option: option[0])
                value = following
            return value[self.layers]

        bound = best(max)[0]
        cuts = best(lambda before, cost: None if cost > bound else before + cost**2)[1]
        return [range(*cut) for cut in cuts]

    # Memory of a rank, in bytes.

    def lasting(self, sizes):
        """Frozen weights, trained weights, gradients, moments."""
        frozen = trained = elements = 0
        for module, (matrices, vectors) in sizes.items():
            if module in self.trains:
                elements += matrices + vectors
                trained += F32 * (matrices + vectors) + (self.bytes * matrices if self.bytes < F32 else 0)
            else:
                frozen += self.bytes * matrices + F32 * vectors
        return {"frozen weights": frozen, "trained weights": trained, "gradients": F32 * elements,
                "moments": 2 * F32 * elements}

    def saved_of_token(self, layers):
        """What the decoder layers keep of one token between forward and backward."""
        def layer_bytes(layer):
            kept = 2 * self.hidden + (2 * self.hidden + 2 * self.kv_width + 2 * self.mlp) // self.ranks
            if "llm" in self.trains:
                kept += 2 * self.hidden + self.mlp // self.ranks
            statistics = 2 + self.heads // self.ranks
            if self.has_adapter(layer):
                kept += self.hidden + 2 * self.bottleneck // self.ranks
                statistics += 2
                if "adapter" in self.trains:
                    kept += 2 * self.hidden
            return self.bytes * kept + F32 * statistics

        if not self.recompute:
            return sum(layer_bytes(layer) for layer in layers)
        return self.bytes * self.hidden * len(layers)

    def recomputed_of_token(self, layers):
        """With train.recompute = layer: one layer at a time, on top."""
        if not self.recompute:
            return 0
        self.recompute = False
        most = max(self.saved_of_token([layer]) for layer in layers)
        self.recompute = True
        return most

    def saved_of_image(self):
        """Patch features, and what the bridge keeps of an image between forward and backward."""
        width = self.hidden
        layer = (self.latents * ((4 + 2 * self.factor) * width + 2 * self.inner) +
                 self.patches * (self.vision + 2 * self.inner))
        return self.bytes * (self.patches * self.vision + self.bridge_layers * layer)

    def pixels_of_image(self):
        return 3 * F32 * self.image_size**2

    def logits_of_token(self):
        return self.bytes * self.vocabulary_rows(self.ranks)

    def micro_batches_in_flight(self, stage):
        """The most whose activations a stage keeps at once."""
        remaining = self.stages - stage
        return remaining if self.schedule == "1f1b" else 2 * remaining - 1

    # Work of a sample in floating-point operations: forward, and backward where it is needed.

    def encoder_work(self):
        width, patches = self.vision, self.patches
        block = patches * (4 * width**2 + 2 * width * self.vision_mlp) + 2 * patches**2 * width
        return 2 * ((patches - 1) * 3 * self.patch_size**2 * width + self.vision_layers * block)

    def bridge_work(self, frames):
        media = frames * self.patches
        layer = (self.latents * (2 * self.hidden * self.inner + 2 * self.factor * self.hidden**2) +
                 media * 2 * self.vision * self.inner + 2 * self.latents * media * self.inner)
        return (6 if "bridge" in self.trains else 4) * self.bridge_layers * layer

    def llm_work(self, visual, text):
        tokens, passes = visual + text, 6 if "llm" in self.trains else 4
        layer = passes * tokens * (2 * self.hidden * (self.hidden + self.kv_width) + 3 * self.hidden * self.mlp)
        attention = 6 * 2 * tokens**2 * self.hidden
        adapter = (6 if "adapter" in self.trains else 4) * tokens * 2 * self.hidden * self.bottleneck
        adapters = sum(self.has_adapter(layer) for layer in range(self.layers))
        return (self.layers * (layer + attention) + adapters * adapter +
                passes * text * self.hidden * self.vocabulary)

    def work(self, frames, text):
        visual = self.latents if frames else 0
        vision = frames * self.encoder_work() + self.bridge_work(frames) if frames else 0
        return vision + self.llm_work(visual, text)


def size_text(size):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:,.1f} {unit}"


def count_text(count):
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count / 1e3:,.1f} thousand"


def print_row(name, value, note=""):
    print(f"{name:<34}{value:>16}{note and '  ' + note}")


def print_parameters(model):
    totals = model.all_parameters()
    print_row("parameters", count_text(sum(totals.values())))
    for module, count in totals.items():
        print_row(f"  {module}, {'trained' if module in model.trains else 'frozen'}", count_text(count))
    return sum(count for module, count in totals.items() if module in model.trains)


def print_memory(model):
    """Of the rank that needs the most."""
    rows = []
    for stage, layers in enumerate(model.partition()):
        tokens, held = model.micro_batch_tokens, model.micro_batches_in_flight(stage)
        row = model.lasting(model.stage_parameters(stage, layers, model.ranks))
        row["kept by decoder layers"] = held * tokens * model.saved_of_token(layers)
        if model.recompute:
            row["recomputed layer"] = tokens * model.recomputed_of_token(layers)
        if stage == model.stages - 1:
            row["logits"] = tokens * model.logits_of_token()
        rows.append((sum(row.values()), stage, layers, held, row))
    total, stage, layers, held, row = max(rows, key=lambda row: row[0])
    print(f"a rank of stage {stage} of {model.stages}, with {len(layers)} decoder layers:")
    for name, size in row.items():
        print_row("  " + name, size_text(size),
                  f"at most {held} x {model.micro_batch_tokens} tokens" if name.startswith("kept") else "")
    print_row("  together", size_text(total))
    print("and for each image that the rank encodes in a step:")
    print_row("  features and bridge", size_text(model.saved_of_image()))
    print_row("  pixels", size_text(model.pixels_of_image()))


def main():
    model = Model(read_config(sys.argv[1:]))
    trained = print_parameters(model)
    print_memory(model)
    print_row("a checkpoint", size_text(3 * F32 * trained))
    print("work of a sample, 32 text tokens:")
    for name, frames in (("text", 0), ("image", 1), ("video of 5 frames", 5)):
        print_row("  " + name, f"{model.work(frames, 32) / 1e12:.3f} Tflop")


if __name__ == "__main__":
    main()
