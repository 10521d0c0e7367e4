#!/usr/bin/env python3
"""Checks the HDF5 files of Lynceus with h5py against io/dataset/shard.h and io/checkpoint/checkpoint.h.

    python3 check_hdf5.py rows SHARD JSONL           a shard of `prepare jsonl`: rows and images
    python3 check_hdf5.py shapes DIRECTORY SEED      all of `prepare shapes`: lines of corpus.txt
    python3 check_hdf5.py checkpoint DIRECTORY FILE  state.h5: its manifest's tensors and digests,
                                                     the bits of FILE, as `lynceus export` wrote it

Ends at the first fault. Digests are computed by libxxhash through ctypes.
"""
import argparse
import ctypes
import json
import os
import struct

import h5py
import numpy

TEXT, USER, ASSISTANT = 0, 1, 2
FRAMES, SEPARATE_IMAGES = 0, 1
CLASSES = ("captions", "text", "Color", "Counting", "Spatial", "Others")
ARRAYS = {"media/bytes": "<u1", "media/offset": "<u8", "media/digest": "<u8",
          "sample/media_begin": "<u8", "sample/turn_begin": "<u8", "sample/text_length": "<u4",
          "sample/kind": "<u1", "sample/key_bytes": "<u1", "sample/key_offset": "<u8",
          "text/bytes": "<u1", "text/offset": "<u8", "text/role": "<u1"}
SHARED_MEDIA = {"sample/media": "<u8"}  # in shards of version 2


def expect(what, found, expected):
    if found != expected:
        raise SystemExit(f"check_hdf5: {what}: expected {expected!r:.300}, found {found!r:.300}")


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype, XXHASH.XXH3_128bits.restype = ctypes.c_uint64, Hash128
for function in (XXHASH.XXH3_64bits, XXHASH.XXH3_128bits):
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def digest64(data):
    return XXHASH.XXH3_64bits(data, len(data))


def digest128(data):
    found = XXHASH.XXH3_128bits(data, len(data))
    return f"{found.high:016x}{found.low:016x}"


def datasets_of(file):
    """{path: dataset} of a file; checks that each is contiguous and inside the file."""
    found = {}
    file.visititems(lambda name, item: found.update({name: item})
                    if isinstance(item, h5py.Dataset) else None)
    size = os.path.getsize(file.filename)
    for name, dataset in found.items():
        expect(f"layout of {name}", dataset.id.get_create_plist().get_layout(), h5py.h5d.CONTIGUOUS)
        if dataset.size > 0:
            end = dataset.id.get_offset() + dataset.size * dataset.dtype.itemsize
            expect(f"end of {name} in the file's {size} bytes", end <= size, True)
    return found


def pieces(blob, offsets, what):
    """The parts of `blob` between offsets that rise from 0 to its end."""
    steps = [int(offset) for offset in offsets]
    expect(f"begin of {what}", steps[0], 0)
    expect(f"order of {what}", steps, sorted(steps))
    expect(f"end of {what}", steps[-1], len(blob))
    return [blob[begin:end] for begin, end in zip(steps, steps[1:])]


def read_shard(path, task, source):
    """The samples as {key, kind, media, turns}; checks the structure of the file first."""
    with h5py.File(path, "r") as file:
        found = datasets_of(file)
        shares = "sample/media" in found
        expect(f"datasets of {path}", {name: item.dtype.str for name, item in found.items()},
               {name: numpy.dtype(dtype).str
                for name, dtype in {**ARRAYS, **(SHARED_MEDIA if shares else {})}.items()})
        expect("axes", {item.ndim for item in found.values()}, {1})
        data = {name: item[()] for name, item in found.items()}
        attributes = {name: value.decode() if isinstance(value, bytes) else int(value)
                      for name, value in file.attrs.items()}
        blobs = found["media/bytes"]
        begin = blobs.id.get_offset() if blobs.size > 0 else None
    check_sidecar(path, begin or 0, data["media/bytes"].size)
    expect("program", attributes.pop("created_by", "").split(" ")[0], "lynceus")
    samples = data["sample/kind"].size
    expect("attributes", attributes, {"format": "lynceus-shard", "version": 2 if shares else 1,
                                      "task": task, "source": source, "num_samples": samples})
    expect("roles", data["text/role"].size, data["text/offset"].size - 1)

    media = pieces(data["media/bytes"].tobytes(), data["media/offset"], "media/offset")
    expect("media/digest", data["media/digest"].tolist(), [digest64(blob) for blob in media])
    if shares:
        expect("images stored once", len(set(media)), len(media))
        uses = data["sample/media"].tolist()
        expect("order of first use", list(dict.fromkeys(uses)), list(range(len(media))))
        media = [media[use] for use in uses]
    texts = pieces(data["text/bytes"].tobytes(), data["text/offset"], "text/offset")
    keys = pieces(data["sample/key_bytes"].tobytes(), data["sample/key_offset"], "key_offset")
    turns = [(int(role), text.decode()) for role, text in zip(data["text/role"], texts)]
    media = pieces(media, data["sample/media_begin"], "media_begin")
    turns = pieces(turns, data["sample/turn_begin"], "turn_begin")
    for name, per_sample in (("media_begin", media), ("turn_begin", turns), ("key_offset", keys)):
        expect(f"samples of {name}", len(per_sample), samples)
    expect("text_length", data["sample/text_length"].tolist(),
           [sum(len(text.encode()) for _, text in sample) for sample in turns])
    return [{"key": key.decode(), "kind": int(kind), "media": pictures, "turns": said}
            for key, kind, pictures, said in zip(keys, data["sample/kind"], media, turns)]


def check_sidecar(path, begin, count):
    """SHARD.xxh of a shard with `count` bytes of media from `begin` on."""
    with open(path + ".xxh", "rb") as file:
        text = file.read()
    with open(path, "rb") as file:
        shard = file.read()
    said = dict(line.split(" ", 1) for line in text.decode().splitlines())
    expect("size in the sidecar", int(said["size"]), len(shard))
    first, last = (int(word) for word in said["blobs"].split(" "))
    expect("blobs in the sidecar", last - first, count)
    if count > 0:
        expect("begin of blobs in the sidecar", first, begin)
    expect("outside in the sidecar", said["outside"], digest128(shard[:first] + shard[last:]))
    expect("self in the sidecar", said["self"], f"{digest64(text[:text.index(b'self ')]):016x}")


def samples_of(rows, root):
    """The samples that `prepare jsonl` must make of its rows; it strips blanks around texts."""
    for number, row in enumerate(rows, 1):
        field = next((name for name in ("image", "images", "frames") if name in row), None)
        paths = [] if field is None else [row[field]] if field == "image" else row[field]
        media = []
        for path in paths:
            with open(os.path.join(root, path), "rb") as file:
                media.append(file.read())
        key = str(row.get("id", paths[0] if paths else f"row {number}"))
        kind = SEPARATE_IMAGES if field == "images" else FRAMES
        if "text" in row:
            yield {"key": key, "kind": kind, "media": media, "turns": [(TEXT, row["text"].strip())]}
            continue
        asked = [(USER, row["question"].strip())] if "question" in row else []
        answers = row.get("captions") or [row.get("answer") or row["caption"]]
        for i, answer in enumerate(answers, 1):
            yield {"key": f"{key}#{i}" if len(answers) > 1 else key, "kind": kind, "media": media,
                   "turns": asked + [(ASSISTANT, answer.strip())]}


def check_rows(path, jsonl):
    with open(jsonl, encoding="utf-8") as file:
        expected = list(samples_of([json.loads(line) for line in file], os.path.dirname(jsonl)))
    found = read_shard(path, os.path.splitext(os.path.basename(jsonl))[0], jsonl)
    expect(f"samples of {path}", len(found), len(expected))
    for sample, wanted in zip(found, expected):
        for part in ("key", "kind", "turns", "media"):
            expect(f"{part} of {wanted['key']}", sample[part], wanted[part])
    print(f"{path}: {len(found)} samples, {sum(len(sample['media']) for sample in found)} pictures")


def check_shapes(directory, seed):
    lines, pictures = [], 0
    for name in CLASSES:
        task = "caption" if name == "captions" else name
        found = read_shard(f"{directory}/train-{name}.h5", task, f"shapes, seed {seed}, train")
        expect(f"kinds of {name}", {sample["kind"] for sample in found}, {FRAMES})
        expect(f"distinct keys of {name}", len({sample["key"] for sample in found}), len(found))
        for sample in found:
            roles = [role for role, _ in sample["turns"]]
            expect(f"roles of {sample['key']}", roles,
                   [TEXT] if name == "text" else [USER, ASSISTANT])
            expect(f"pictures of {sample['key']}", len(sample["media"]), 0 if name == "text" else 1)
            for picture in sample["media"]:
                ends = picture[:3] + picture[-2:]
                expect(f"ends of the JPEG of {sample['key']}", ends, b"\xff\xd8\xff\xff\xd9")
            names = {TEXT: "", USER: "User: ", ASSISTANT: "Bot: "}
            for role, text in sample["turns"]:
                lines += (names[role] + text).split("\n")
            pictures += len(sample["media"])
    with open(f"{directory}/corpus.txt", encoding="utf-8") as file:
        expect("corpus.txt", lines, file.read().splitlines())
    print(f"{directory}: {len(lines)} lines, {pictures} pictures")


def read_safetensors(path):
    """{name: array} of a file of f32."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    expect(f"dtypes of {path}", {entry["dtype"] for entry in header.values()}, {"F32"})
    return {name: numpy.frombuffer(data[slice(*entry["data_offsets"])], "<f4")
            .reshape(entry["shape"]) for name, entry in header.items()}


def check_checkpoint(directory, exported):
    with open(f"{directory}/MANIFEST.json", encoding="utf-8") as file:
        manifest = json.load(file)
    with h5py.File(f"{directory}/state.h5", "r") as file:
        state = {name: (item.dtype.str, item[()]) for name, item in datasets_of(file).items()}
    expect("bytes of state.h5", os.path.getsize(f"{directory}/state.h5"), manifest["file"]["bytes"])
    expect("tensors", {name: (dtype, list(value.shape)) for name, (dtype, value) in state.items()},
           {tensor["name"]: ("<f4", tensor["shape"]) for tensor in manifest["tensors"]})
    values = {name: value for name, (_, value) in state.items()}
    for tensor in manifest["tensors"]:
        rows, value = tensor["block_rows"], values[tensor["name"]]
        blocks = [value[row:row + rows].tobytes() for row in range(0, len(value), rows)]
        expect(f"blocks of {tensor['name']}", [digest128(block) for block in blocks],
               tensor["blocks"])
    for name, value in values.items():
        expect(f"{name} finite", bool(numpy.isfinite(value).all()), True)
        if name.endswith("/v"):
            expect(f"{name} not negative", bool((value >= 0).all()), True)
    weights = read_safetensors(exported)
    expect("names", sorted(values), sorted(f"{name}/{kind}" for name in weights
                                           for kind in ("value", "m", "v")))
    expect("values that moved", any(values[f"{name}/m"].any() for name in weights), True)
    for name, weight in weights.items():
        for kind in ("value", "m", "v"):
            expect(f"shape of {name}/{kind}", values[f"{name}/{kind}"].shape, weight.shape)
        same = values[f"{name}/value"].tobytes() == weight.tobytes()
        expect(f"bits of {name} as exported", same, True)
    print(f"{directory}: {len(weights)} tensors and their moments, "
          f"{sum(weight.size for weight in weights.values())} values as exported")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("check", choices=("rows", "shapes", "checkpoint"))
    parser.add_argument("paths", nargs=2)
    options = parser.parse_args()
    {"rows": check_rows, "shapes": check_shapes,
     "checkpoint": check_checkpoint}[options.check](*options.paths)


if __name__ == "__main__":
    main()
