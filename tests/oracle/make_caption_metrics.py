#!/usr/bin/env python3
"""Writes tests/data/caption_metrics.json: scores of small corpora of captions by pycocoevalcap.

    make_caption_metrics.py OUTPUT

Needs pycocoevalcap 1.2 and numpy (PyPI). The tokens are those of caption_words(): lower case, every run of
characters outside a-z0-9 separates two words. The corpora are drawn at random and cover captions without
words, repeated words, references of equal distance in length, one reference, and a corpus of one item.
"""

import json
import random
import re
import sys

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

WORDS = "a the man woman dog cat on in of with red two 2 table sits sitting bike street".split()
MARKS = ["", "", "", "", ",", ".", "!", "'s", " - ", "\u00e9"]


def tokens(text):
    return " ".join(re.sub("[^a-z0-9]+", " ", text.lower()).split())


def caption(draw, longest):
    words = [draw.choice(WORDS[: draw.choice((4, len(WORDS)))]) + draw.choice(MARKS) for _ in range(longest)]
    text = " ".join(words)
    return text.upper() if draw.random() < 0.1 else text.capitalize() if draw.random() < 0.3 else text


def corpus(draw, items):
    rows = []
    for _ in range(items):
        references = [caption(draw, draw.randint(1, 12)) for _ in range(draw.choice((1, 2, 5)))]
        kind = draw.random()
        if kind < 0.1:
            candidate = draw.choice(("", "...", " \u00e9 "))
        elif kind < 0.3:
            candidate = draw.choice(references)
        else:
            candidate = caption(draw, draw.randint(1, 14))
        rows.append({"candidate": candidate, "references": references})
    return rows


def scores(rows):
    references = {i: [tokens(text) for text in row["references"]] for i, row in enumerate(rows)}
    candidates = {i: [tokens(row["candidate"])] for i, row in enumerate(rows)}
    bleu, bleu_items = Bleu(4).compute_score(references, candidates, verbose=0)
    rouge, rouge_items = Rouge().compute_score(references, candidates)
    cider, cider_items = Cider().compute_score(references, candidates)
    for i, row in enumerate(rows):
        row["bleu"] = [float(of_n[i]) for of_n in bleu_items]
        row["rouge_l"] = float(rouge_items[i])
        row["cider"] = float(cider_items[i])
    return {"bleu": [float(b) for b in bleu], "rouge_l": float(rouge), "cider": float(cider)}


def main():
    draw = random.Random(17)
    corpora = []
    for items in (1, 2, 3, 8, 25):
        rows = corpus(draw, items)
        corpora.append({"corpus": scores(rows), "items": rows})
    with open(sys.argv[1], "w", encoding="utf-8") as output:
        json.dump({"source": "pycocoevalcap 1.2", "corpora": corpora}, output, indent=1)
        output.write("\n")


if __name__ == "__main__":
    main()
