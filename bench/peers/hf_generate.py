"""Answers of Hugging Face transformers to the prompts of bench_generate, with the same weights: one round
for each line of stdin, answering with its seconds.

    python3 hf_generate.py --weights FILE --preset mid --batch 8 --num_beams 1
    python3 hf_generate.py ... --tokens                 prints the new tokens of one round and leaves
"""
import argparse
import os
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/oracle"))
from tensor_files import read_tensors  # noqa: E402

# configs/model/mid.ini
SIZES = {"mid": dict(vocab_size=8000, hidden_size=1024, intermediate_size=2752, num_hidden_layers=8,
                     num_attention_heads=16)}


def prompt_of(row, length, vocab):
    return [1] + [3 + (row * 7919 + i * 104729) % (vocab - 4) for i in range(1, length)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--preset", default="mid", choices=SIZES)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--new_tokens", type=int, default=64)
    parser.add_argument("--num_beams", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tokens", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = LlamaConfig(rms_norm_eps=1e-6, bos_token_id=1, eos_token_id=None, pad_token_id=0,
                         **SIZES[options.preset])
    model = LlamaForCausalLM(config)
    model.load_state_dict(read_tensors(options.weights), strict=True)
    model.eval()
    ids = torch.tensor([prompt_of(row, options.prompt, config.vocab_size)
                        for row in range(options.batch)])

    def answer():
        with torch.no_grad():
            return model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                  num_beams=options.num_beams, max_new_tokens=options.new_tokens,
                                  min_new_tokens=options.new_tokens, use_cache=True)

    if options.tokens:
        for row in answer()[:, options.prompt:].tolist():
            print(*row)
        return
    for _ in sys.stdin:
        begin = time.perf_counter()
        answer()
        print(f"{time.perf_counter() - begin:.6f}", flush=True)


if __name__ == "__main__":
    main()
