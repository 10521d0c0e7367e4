#!/usr/bin/env python3
"""Small seeds for the fuzz targets: images of every kind that the decoders distinguish, tar archives,
texts. Needs Pillow (Debian: python3-pil) for the images.

    python3 make_seeds.py DIRECTORY      wrote corpus/{archive,config,...}
"""
import argparse
import io
import json
import os
import struct
import tarfile

from PIL import Image


def pictures():
    rgb = Image.new("RGB", (19, 11))
    rgb.putdata([(x * 13, y * 23, x * y) for y in range(11) for x in range(19)])
    alpha = rgb.convert("RGBA")
    alpha.putalpha(rgb.convert("L"))
    deep = Image.frombytes("I;16", (4, 3), bytes(range(24)))
    forms = {
        "rgb.jpg": (rgb, {"quality": 60}),
        "progressive.jpg": (rgb, {"quality": 60, "progressive": True}),
        "restart.jpg": (rgb, {"quality": 90, "subsampling": 0, "optimize": True}),
        "grey.jpg": (rgb.convert("L"), {"quality": 60}),
        "cmyk.jpg": (rgb.convert("CMYK"), {"quality": 60}),
        "rgb.png": (rgb, {}),
        "alpha.png": (alpha, {}),
        "grey_alpha.png": (alpha.convert("LA"), {}),
        "palette.png": (rgb.quantize(8), {"bits": 4}),
        "transparent.png": (rgb.quantize(8), {"transparency": 1}),
        "bits.png": (rgb.convert("1"), {}),
        "deep.png": (deep, {}),
        "lossy.webp": (rgb, {"quality": 50}),
        "lossless.webp": (rgb, {"lossless": True}),
        "alpha.webp": (alpha, {"quality": 50}),
    }
    for name, (picture, options) in forms.items():
        buffer = io.BytesIO()
        form = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.split(".")[1]]
        picture.save(buffer, form, **options)
        yield name, buffer.getvalue()


def archives():
    for name, mode, form in (("pax.tar", "w", tarfile.PAX_FORMAT), ("gnu.tar", "w", tarfile.GNU_FORMAT),
                             ("ustar.tar.gz", "w:gz", tarfile.USTAR_FORMAT)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=form) as tar:
            def add(entry, data=b"", kind=tarfile.REGTYPE, link=""):
                info = tarfile.TarInfo(entry)
                info.size, info.type, info.linkname = len(data), kind, link
                tar.addfile(info, io.BytesIO(data))
            add("0.jpg", b"\xff\xd8\xff")
            add("0.txt", b"a caption")
            if form != tarfile.USTAR_FORMAT:
                add("long/" * 30 + "1.json", b'{"caption": "b"}')
            add("s", kind=tarfile.SYMTYPE, link="0.jpg")
            add("h", kind=tarfile.LNKTYPE, link="0.jpg")
        data = buffer.getvalue()
        yield name, data if name.endswith("gz") else data.rstrip(b"\0") + bytes(1024)


HF = {"model_type": "llama", "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 128,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100,
      "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 64, "bos_token_id": 1,
      "eos_token_id": [2, 3], "pad_token_id": None, "rope_scaling": None, "tie_word_embeddings": False,
      "head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}

DOCUMENTS = {
    "values": '{"a": [1, -2, 3.5e-3, true, false, null, "x\\u00e9\\n\\ud83d\\ude00"], "b": {"a": {}}}',
    "duplicate": '{"a": 1, "a": 2}',
    "numbers": '[0, -0.0, 18446744073709551615, -9223372036854775808, 1e308, 0.1]',
    "nested": "[" * 30 + "]" * 30,
}

STREAMS = {
    "array": '[{"a": 1}, [2, "x"], 3, null]',
    "members": '{"info": {"x": [1]}, "a": [1, {"b": []}], "images": [{"id": 1}], "c": 2}',
    "lines": '{"a": 1}\n\n{"a": [2]}\nbroken\n{}',
    "scalar": " 12",
}

ROWS = {
    "jsonl": '{"a": 1}\n\n[1, 2]\r\n"x"\n{',
    "tsv": "image\tcaption\na.png\twords\nb.png\n\t\n",
    "numbered": "1\t2\t3\n4\t5\t6",
}

SOURCES = {
    "0caption": '0{"image": "a.png", "caption": "x"}\n{"images": ["a.png"], "captions": ["x", "y"], "id": 3}',
    "0text": '0{"text": "x"}\n{"question": "q", "answer": ["x", "y"]}\n{"frames": ["a.png", "a.png"], "caption": "z"}',
    "1tsv": "1image\tcaption\na.png\twords\n../a.png\tx\n",
    "9mapped": "9a.png\twords\n",
    "2coco": '2{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"id": 2, "image_id": 1, '
             '"caption": "x"}, {"id": 3, "image_id": 4, "caption": "y"}]}',
    "3llava": '3[{"id": "1", "image": "a.png", "conversations": [{"from": "human", "value": "<image>\\nq"}, '
              '{"from": "gpt", "value": "x"}]}, {"id": 2, "conversations": []}]',
    "4openvqa": '4{"image": "a.png", "dataset": "d", "index": 1, "question": "q", "answer": ["x"], "class": "c"}\n{}',
    "5alpaca": '5[{"instruction": "i", "input": "", "output": "o"}]',
    "5sharegpt": '5{"id": "a", "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": '
                 '"q"}, {"from": "gpt", "value": "x"}]}\n',
}

CONFIGS = {
    "ini": "flag = true\n[s]\nsmall = 3  # why\nlarge=-4\npositive = 5 ; x\nreal = 1e-3\ntext = a b\n"
           "[t]\nabsent = 7\none = layer\nmany = x\nmany = y\n",
    "wrong": "[s\nsmal = x\n[u]\nx\n= 3\n",
    "options": "--flag\n--s.small=3\n--t.many\na\nb\n--s.text\nx\n--\nword\n--help",
}

INDICES = {
    "index": json.dumps({"metadata": {"total_size": 24},
                         "weight_map": {"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}),
    "outside": '{"weight_map": {"a": "../1.safetensors"}}',
    "rule": json.dumps({"seed": 3, "tensors": [
        {"name": "a", "shape": [2, 3], "offset": 1, "shift": 2, "exp": -9},
        {"name": "b", "shape": [], "const": 0.5}]}),
}

TENSORS = {
    "two": '{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],'
           '"data_offsets":[8,12]},"__metadata__":{"format":"pt"}}' + "\0" * 12,
    "empty": '{"a":{"dtype":"I64","shape":[0,9],"data_offsets":[0,0]}}',
}


PARAMS = '{"dim": 4, "n_heads": 2, "n_kv_heads": 1, "n_layers": 1, "norm_eps": 1e-05}'

LLAMAS = {
    "whole": PARAMS + "\ntok_embeddings.weight 5 4\nlayers.0.attention.wq.weight 4 4\n"
             "layers.0.attention.wk.weight 2 4\nlayers.0.attention.wo.weight 4 4\n"
             "layers.0.feed_forward.w1.weight 6 4\nlayers.0.feed_forward.w2.weight 4 6\n"
             "layers.0.ffn_norm.weight 4\nnorm.weight 4\noutput.weight 5 4\nrope.freqs 1\n",
    "columns": PARAMS + "\ntok_embeddings.weight 5 2\nlayers.0.attention.wo.weight 4 2\n"
               "-\ntok_embeddings.weight 5 2\nlayers.0.attention.wo.weight 4 2\n",
    "nothing": PARAMS + "\nlayers.0.feed_forward.w1.weight 3 4\noutput.weight 0 4\n",
    "rows": PARAMS + "\nlayers.0.attention.wq.weight 3 4\nlayers.0.feed_forward.w1.weight 3 4\n"
            "output.weight 2 4\ntok_embeddings.weight 2 4\n"
            "-\nlayers.0.attention.wq.weight 1 4\nlayers.0.feed_forward.w1.weight 5 4\n"
            "output.weight 3 4\ntok_embeddings.weight 3 4\n",
}

PROMPTS = {
    "style": '# a comment\nname = a\ndefault_system = "says \\"x\\" "\nsystem = {text} \n'
             'user = "U: {text}\\n"\nassistant = A: {text}\\\\\nlower_case = true\n',
    "list": "# wordings\n{text}\nLook: {text}!\n; and instructions\nDescribe it.\n",
    "unclosed": 'user = "{text}\nassistant = {text}{text}\n',
}

FRAMES = {
    "one": "\0decoded 1\nframe 0 1 1\nRGBend\n",
    "twice": "\1decoded 1\nframe 0 2 1\nRGBRGBend\n",
    "two": "\1decoded 5\nframe 0 1 1\nRGBframe 3 1 2\nRGBRGBend\n",
    "damaged": "\1damaged no video stream\n",
}

ENTRIES = {
    "captions": 'a.jpg @\na.txt words\nb.json {"captions": ["x", "y"]}\nb.png @\nc.cls 3\n',
    "answers": '!d/a.png @\nd/a.json {"question": "q", "answer": "x"}\nd/b.PNG @\n',
    "rejected": "a.txt x\n../b.png @\nb.txt x\nc.png x\nc.txt y\nd.png @\nd.jpg @\n",
}


def field(number, value):
    """A field of a protocol buffer: an integer, a float or bytes (below 2^14)."""
    def varint(n):
        return bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def charsmap():
    """A double array that maps "A" to "a", as SentencePiece packs it."""
    units = [0] * 256  # label in the low 8 bits, a leaf below in bit 8, offset from bit 10
    units[ord("A")] = ord("A") | 1 << 8 | 0x80 << 10
    units[ord("A") ^ 0x80] = 1 << 31  # the leaf: begin of the text
    return struct.pack("<I256I", 4 * len(units), *units) + b"a\0"


def tokenizers():
    normal, unknown, control, user_defined, unused = 1, 2, 3, 4, 5
    pieces = [("<unk>", unknown), ("<s>", control), ("</s>", control), ("\u2581", normal), ("a", normal),
              ("b", normal), ("ab", normal), ("\u2581a", unused), ("aa", user_defined), ("aaa", user_defined)]
    table = b"".join(field(1, field(1, text.encode()) + field(2, -float(i)) + field(3, kind))
                     for i, (text, kind) in enumerate(pieces))
    for name, model_type in (("unigram", 1), ("bpe", 2), ("word", 3), ("char", 4)):
        yield name, table + field(2, field(3, model_type))
    yield "charsmap", table + field(3, field(1, b"own") + field(2, charsmap()) + field(4, 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    directory = parser.parse_args().directory
    texts = {"hf_config": {"llama": json.dumps(HF)}, "json": DOCUMENTS, "json_stream": STREAMS,
             "rows": ROWS, "source": SOURCES, "config": CONFIGS, "weight_index": INDICES,
             "safetensors": TENSORS, "llama": LLAMAS, "prompts": PROMPTS, "video": FRAMES,
             "webdataset": ENTRIES}
    corpora = {name: [(key, text.encode()) for key, text in seeds.items()]
               for name, seeds in texts.items()}
    corpora["image"] = pictures()
    corpora["archive"] = archives()
    corpora["tokenizer"] = tokenizers()
    for name, seeds in corpora.items():
        os.makedirs(f"{directory}/{name}", exist_ok=True)
        for key, data in seeds:
            with open(f"{directory}/{name}/{key}", "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
