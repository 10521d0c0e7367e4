#!/usr/bin/env python3
"""Search (src/generate) decodes the reference cases of generation, with the logits of the oracle's model.

    check_decoding.py DECODE_ROWS GOLDEN_DIR

Every row of every run of GOLDEN_DIR/generate_beam (but `probabilities`, which tests/generate/golden_test.cpp
reads) and of GOLDEN_DIR/generate/beam_rows.json: tokens, parents of each step, number of steps, lengths; sums
within 1e-4; of beam_sample the probabilities of each step within 1e-5, with the draws of the case. Exit code 1 if
something differs.
"""

import json
import os
import struct
import subprocess
import sys

import torch

import lynx_oracle as oracle
from tensor_files import read_tensors

KEYS = ("max_new_tokens", "min_length", "min_new_tokens", "num_beams", "length_penalty", "early_stopping",
        "no_repeat_ngram_size", "repetition_penalty", "do_sample", "temperature", "top_k", "top_p",
        "num_return_sequences")
CASES = ("greedy", "table6_image", "table6_video", "text_only", "stopping", "penalties", "limits", "images",
         "beam_sample")


class Difference(Exception):
    pass


def expect(found, expected, what):
    if found != expected:
        raise Difference(f"{what}: expected {expected}, found {found}")


def expect_near(found, expected, tolerance, what):
    if not abs(found - expected) <= tolerance:
        raise Difference(f"{what}: expected {expected}, found {found}")


class Model:
    """The logits of a row: its visual tokens, its text without pads, and new tokens."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        llm, lynx = self.config["llm"], self.config["lynx"]
        self.config.setdefault("adapter_layers", range(0, llm["num_hidden_layers"], lynx["adapter_freq"]))
        weights = oracle.load_weights(folder)
        overlay = os.path.join(folder, "overlay.safetensors")
        if os.path.exists(overlay):
            weights.update(read_tensors(overlay))
        self.parameters = {name: value.double() for name, value in weights.items()}
        self.inputs = read_tensors(os.path.join(folder, "inputs.safetensors"))
        self.size = self.config["llm"]["vocab_size"]
        self.prompts, self.known = {}, {}

    def prompt(self, row):
        text = self.inputs["input_ids"][row][self.inputs["attention_mask"][row] == 1]
        x = self.embed(text)
        if "pixels" not in self.inputs:
            return x
        vision = oracle.encode_images(self.parameters, self.config, self.inputs["pixels"][row : row + 1])
        if self.config.get("media") == "images":
            vision = vision[0]  # several pictures, each with latents of its own
        elif vision.dim() == 4:
            vision = (vision + self.parameters["absolute_frame_pos_embed"]).flatten(1, 2)
        prefix = oracle.bridge(self.parameters, self.config, vision).flatten(0, 1)
        return torch.cat([prefix, x])

    def embed(self, tokens):
        return self.parameters["LLM.model.embed_tokens.weight"][tokens]

    def logits(self, row, sequences):
        """The bytes of [sequences, size] f32: of the last position of each. Runs share what they both need."""
        new = [tokens for tokens in sequences if (row, *tokens) not in self.known]
        if new:
            if row not in self.prompts:
                self.prompts[row] = self.prompt(row)
            texts = [self.embed(torch.tensor(tokens, dtype=torch.int64)) for tokens in new]
            x = torch.stack([torch.cat([self.prompts[row], text]) for text in texts])
            mask = torch.ones(x.shape[:2], dtype=torch.int64)
            logits = oracle.language_model(self.parameters, self.config, x, mask)[:, -1].float()
            for tokens, values in zip(new, logits):
                self.known[(row, *tokens)] = values.numpy().tobytes()
        return b"".join(self.known[(row, *tokens)] for tokens in sequences)


class Row:
    """One row that DECODE_ROWS decodes."""

    def __init__(self, program, model, run, eos, given):
        arguments = [program, str(model.size), "1", str(eos)] + (["--given-draws"] if given else [])
        for key in KEYS:
            if key in run:
                arguments += ["--generate." + key, str(run[key]).lower()]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.sequences = [[]]

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def read(self, key):
        line = self.process.stdout.readline()
        if not line:
            raise Difference(f"decode_rows ended with exit code {self.process.wait()}")
        return json.loads(line)[key]

    def follow(self):
        """What each live sequence continues with."""
        found = self.read("next")
        self.sequences = [self.sequences[parent] + [token] for token, parent in found]
        return found

    def answers(self):
        answers = self.read("answers")
        self.process.stdin.close()
        self.process.wait()
        return answers


def compare_step(row, found, step, is_first):
    """The next beams of a step; nothing when the row is done."""
    if row.sequences:
        expect([token for token, _ in found], step["tokens"], "tokens")
        if not is_first:
            expect([parent for _, parent in found], step["parents"], "parents")


def compare_answer(found, expected):
    expect(found["tokens"], expected["tokens"], "tokens")
    expect(found["ended"], expected["ended"], "ended")
    if "sum" in expected:
        expect(found["length"], expected["length"], "length")
        expect_near(found["sum"], expected["sum"], 1e-4, "sum")
        expect_near(found["score"], expected["score"], 1e-4 * max(1, abs(expected["score"])), "score")


def decode(program, model, run, row_number, expected, eos):
    row = Row(program, model, run, eos, False)
    steps = expected.get("steps")
    number = 0
    while row.sequences:
        row.send(model.logits(row_number, row.sequences))
        found = row.follow()
        if steps:
            compare_step(row, found, steps[number], number == 0)
        number += 1
    answers = row.answers()
    if steps:
        expect(number, len(steps), "number of steps")
    wanted = expected.get("sequences", [expected])
    expect(len(answers), len(wanted), "number of answers")
    for answer, one in zip(answers, wanted):
        compare_answer(answer, one)


def decode_given(program, model, run, row_number, expected, eos):
    """beam_sample. Beams with equal tokens may change places, so sequences are compared."""
    row = Row(program, model, run, eos, True)
    for number, step in enumerate(expected["steps"]):
        row.send(model.logits(row_number, row.sequences))
        choices = row.read("choices")
        possible = step["possible"]
        expect([choice[:2] for choice in choices], [choice[:2] for choice in possible], "possible")
        for found, wanted in zip(choices, possible):
            expect_near(found[2], wanted[2], 1e-5, f"probability of {wanted[:2]}")
        places = {tuple(choice[:2]): i for i, choice in enumerate(choices)}
        drawn = [places[tuple(choice)] for choice in step["drawn"]]
        row.send(struct.pack(f"<{len(drawn) + 1}i", len(drawn), *drawn))
        before = row.sequences
        row.follow()
        if row.sequences:
            parents = step["parents"] if number > 0 else [0] * len(step["parents"])
            expect(row.sequences, [before[p] + [t] for p, t in zip(parents, step["tokens"])], "beams")
            for token, parent, score in zip(step["tokens"], step["parents"], step["scores"]):
                expect_near(choices[places[parent, token]][3], score, 1e-4, "running sum")
        else:
            expect(number, len(expected["steps"]) - 1, "last step")
    compare_answer(row.answers()[0], expected["sequence"])


def check_case(program, folder):
    """(rows, differences)"""
    model = Model(folder)
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)["runs"]
    runs = [(run, expected[run["name"]]["rows"]) for run in model.config["generate"]]
    given = os.path.basename(folder) == "beam_sample"
    return check_rows(program, folder, model, runs, decode_given if given else decode)


def check_beam_rows(program, folder):
    """Rows with the dummy BOS in front and without anything else."""
    model = Model(folder)
    with open(os.path.join(folder, "beam_rows.json"), encoding="utf-8") as file:
        cases = json.load(file)
    runs = []
    for name, case in cases.items():
        eos = case["settings"]["eos_token_id"]
        rows = [{"tokens": row[1:], "ended": row[-1] == eos} for row in case["rows"]]
        runs.append(({"name": name, **case["settings"]}, rows))
    return check_rows(program, folder, model, runs, decode)


def check_rows(program, folder, model, runs, check):
    count, differences = 0, 0
    for run, rows in runs:
        for row, expected in enumerate(rows):
            count += 1
            try:
                check(program, model, run, row, expected, run["eos_token_id"])
            except Difference as difference:
                differences += 1
                print(f"{folder}: {run['name']}, row {row}: {difference}")
    print(f"{os.path.basename(folder)}: {count} rows, {differences} differ")
    return count, differences


def main(program, golden):
    torch.set_num_threads(1)
    with torch.no_grad():
        results = [check_case(program, os.path.join(golden, "generate_beam", case)) for case in CASES]
        results.append(check_beam_rows(program, os.path.join(golden, "generate")))
    rows, differences = map(sum, zip(*results))
    print(f"{rows} rows, {differences} differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
