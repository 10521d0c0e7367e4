#!/usr/bin/env python3
"""Checks that transformers tokenizes with an exported directory as SentencePiece does with its
tokenizer.model: BOS, then the same ids, and [PAD] as the last row of the model. Needs transformers
and sentencepiece; started by tools/check_transformers.sh.

    python3 check_tokenizer.py MERGED
"""
import json
import sys

import sentencepiece
import transformers

# transformers 5 drops one of several spaces at the beginning of a text, so no text begins with one.
TEXTS = ["a red square", "User: What is this?\nBot: a circle .", "", "\u00e9 \u00fc \u6f22\u5b57 \U0001f600",
         "don't , stop !", "how many circles? 1234", "a\tb", "two  spaces ", "user: is it red?\nbot: yes"]


def check(directory, use_fast):
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, use_fast=use_fast)
    pieces = sentencepiece.SentencePieceProcessor(model_file=f"{directory}/tokenizer.model")
    with open(f"{directory}/config.json") as file:
        config = json.load(file)
    assert len(tokenizer) == config["vocab_size"] == pieces.get_piece_size() + 1, len(tokenizer)
    assert tokenizer.pad_token == "[PAD]" and tokenizer.pad_token_id == pieces.get_piece_size()
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (pieces.bos_id(), pieces.eos_id())
    for text in TEXTS:
        found = tokenizer(text).input_ids
        expected = [pieces.bos_id()] + pieces.encode(text)
        assert found == expected, (text, found, expected)
        decoded = tokenizer.decode(found, skip_special_tokens=True)
        assert decoded == text, (text, decoded)


if __name__ == "__main__":
    for fast in (False, True):
        check(sys.argv[1], fast)
    print(f"transformers {transformers.__version__}: {len(TEXTS)} texts have SentencePiece's ids")
