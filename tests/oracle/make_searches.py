#!/usr/bin/env python3
"""Lets Hugging Face transformers decode with small models of random numbers, and writes what it answers.

    make_searches.py OUT.json      with transformers 4.28.1 (Settings: lynx) or 4.38.2 (hf), torch 1.13

The model is a table: the logits of the next token follow from the last two tokens and a seed, by the numbers of
core/random.h. torch.multinomial is replaced by the draws of src/generate/sampling.cpp, so sampling can be compared
token for token. Each row is generated alone. A run whose answers change when its logits change by 1e-5 is left
out: its order depends on rounding.
"""

import json
import random
import sys

import numpy as np
import torch
import transformers
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

BOS, EOS = 1, 2
GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix64(z):
    z = np.asarray(z, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hash_name(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


class CounterRandom:
    """core/random.h."""

    def __init__(self, seed, name):
        self.key = mix64(hash_name(name) ^ int(mix64((seed + GOLDEN) & MASK)))

    def bits(self, index):
        return mix64(self.key + (np.asarray(index, dtype=np.uint64) + np.uint64(1)) * np.uint64(GOLDEN))

    def uniform(self, index):
        return (self.bits(index) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def table_logits(table, history):
    """[vocab_size]: tests/generate/table_model.h."""
    size = table["vocab_size"]
    last = history[-1] if history else size
    before = history[-2] if len(history) > 1 else size
    first = (before * (size + 1) + last) * size
    bits = CounterRandom(table["seed"], "table").bits(first + np.arange(size, dtype=np.uint64))
    logits = ((bits >> np.uint64(41)).astype(np.float64) - 2.0**22) * 2.0**-20
    logits[EOS] += table["eos_bonus"]
    return logits


class TableModel(PreTrainedModel):
    config_class = PretrainedConfig

    def __init__(self, table, skip, noise):
        super().__init__(PretrainedConfig(vocab_size=table["vocab_size"]))
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.table, self.skip, self.noise = table, skip, noise

    @staticmethod
    def can_generate():
        return True

    def get_output_embeddings(self):
        return None

    def prepare_inputs_for_generation(self, input_ids, inputs_embeds=None, **others):
        return {"input_ids": input_ids}

    def forward(self, input_ids=None, inputs_embeds=None, **others):
        rows = []
        for history in input_ids.tolist():
            logits = table_logits(self.table, history[self.skip :])
            rows.append(logits + self.noise * np.random.default_rng(len(history)).standard_normal(len(logits)))
        return CausalLMOutputWithPast(logits=torch.tensor(np.array(rows))[:, None, :])

    def _reorder_cache(self, past, beam_idx):
        return past


class Draws:
    """Stands for torch.multinomial: draw_by_gumbel of src/generate/sampling.cpp."""

    def __init__(self, settings, row, size):
        self.settings, self.row, self.size, self.step = settings, row, size, 0

    def __call__(self, probabilities, num_samples):
        drawn = []
        for sequence, row in enumerate(probabilities.double().numpy()):
            rows = CounterRandom(self.settings["seed"], "generate.row")
            sequences = CounterRandom(int(rows.bits(self.row)), "generate.sequence")
            draws = CounterRandom(int(sequences.bits(sequence)), "generate.draw")
            steps = CounterRandom(int(draws.bits(self.step)), "generate.step")
            index = np.arange(len(row), dtype=np.uint64)
            place = (index // np.uint64(self.size)) << np.uint64(32) | index % np.uint64(self.size)
            with np.errstate(divide="ignore"):
                keys = np.log(row) - np.log(-np.log(steps.uniform(place) + 2.0**-54))
            drawn.append(np.argsort(-keys, kind="stable")[:num_samples])
        self.step += 1
        return torch.tensor(np.array(drawn))


def generate(run, noise):
    """The answers of one row, and the number of steps that they took."""
    settings, table = run["settings"], run["table"]
    lynx = run["length"] == "lynx"
    model = TableModel(table, 1 if lynx else 0, noise)
    arguments = dict(settings)
    arguments.pop("seed", None)
    early = arguments.pop("early_stopping", "false")
    config = GenerationConfig(
        **arguments,
        early_stopping={"false": False, "true": True}.get(early, early),
        bos_token_id=BOS,
        eos_token_id=EOS if run["eos"] >= 0 else None,
        pad_token_id=0,  # only after an EOS
        use_cache=True,
        return_dict_in_generate=True,
        output_scores=True,
    )
    torch.multinomial = Draws(settings, run["row"], table["vocab_size"])
    with torch.no_grad():
        if lynx:  # the dummy BOS that 4.28 puts beside embeddings
            result = model.generate(input_ids=torch.tensor([[BOS]]), generation_config=config)
        else:
            result = model.generate(inputs_embeds=torch.zeros(1, 1, 1), generation_config=config)
    answers = []
    for i, tokens in enumerate(result.sequences.tolist()):
        tokens = tokens[1:] if lynx else tokens
        if EOS in tokens and run["eos"] >= 0:
            tokens = tokens[: tokens.index(EOS) + 1]
        answer = {"tokens": tokens}
        if settings["num_beams"] > 1:
            answer["score"] = float(result.sequences_scores[i])
        answers.append(answer)
    return answers, len(result.scores)


def random_run(choose, number, length):
    pick = choose.choice
    size = pick([12, 23, 40])
    kind = pick(["greedy", "beams", "beams", "beams", "sample", "beam_sample", "beam_sample"])
    beams = pick([2, 3, 4, 5]) if kind.startswith("beam") else 1
    most = pick([1, 2, 3, 5, 8, 13, 20])
    ngram = pick([0, 0, 1, 2, 3])
    if ngram == 1:
        size, most = 40, min(most, 12)
    settings = {
        "max_new_tokens": most,
        "min_length": pick([0, 0, 0, 2, min(4, most)]),
        "min_new_tokens": pick([0, 0, 0, min(3, most)]),
        "num_beams": beams,
        "no_repeat_ngram_size": ngram,
        "repetition_penalty": pick([1.0, 1.0, 0.8, 1.3]),
        "do_sample": kind.endswith("sample"),
        "num_return_sequences": 1,
    }
    if beams > 1:
        settings["length_penalty"] = pick([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0])
        settings["early_stopping"] = pick(["false", "false", "true", "never"])
    if kind == "beams" or (kind == "beam_sample" and length == "hf"):
        settings["num_return_sequences"] = choose.randint(1, beams)
    if kind == "sample":
        settings["num_return_sequences"] = pick([1, 3])
    if settings["do_sample"]:
        settings["temperature"] = pick([1.0, 1.0, 0.7, 1.4])
        settings["top_k"] = pick([0, 1, 3, 7])
        settings["top_p"] = pick([1.0, 0.9, 0.5])
        settings["seed"] = choose.randrange(1 << 60)
    return {
        "length": length,
        "row": choose.randrange(1000),
        "eos": pick([EOS, EOS, EOS, EOS, -1]),
        "table": {"vocab_size": size, "seed": number, "eos_bonus": pick([-1.0, 0.0, 1.5, 2.5, 3.0])},
        "settings": settings,
    }


def main(path):
    np.seterr(over="ignore")  # counters wrap around
    version = transformers.__version__
    length = {"4.28.1": "lynx", "4.38.2": "hf"}[version]
    transformers.logging.set_verbosity_error()
    choose = random.Random(17)
    kept, left_out = [], 0
    for number in range(300):
        run = random_run(choose, number, length)
        answers, steps = generate(run, 0.0)
        for noise in (1e-5, -1e-5):
            others, other_steps = generate(run, noise)
            if [a["tokens"] for a in others] != [a["tokens"] for a in answers] or other_steps != steps:
                left_out += 1
                break
        else:
            kept.append({**run, "steps": steps, "answers": answers})
    with open(path, "w", encoding="utf-8") as out:
        out.write('{"transformers": "%s", "runs": [\n' % version)
        out.write(",\n".join(json.dumps(run, separators=(",", ":")) for run in kept) + "\n]}\n")
    print(f"transformers {version}: {len(kept)} runs, {left_out} left out")


if __name__ == "__main__":
    main(sys.argv[1])
