"""Reads and writes safetensors files with torch and the standard library only.

The format is eight bytes of little-endian header length, a JSON header {name: {dtype, shape,
data_offsets}}, then the raw data. The oracle and the case makers use it, so that no further Python
package is needed. A weights file that is a few bytes of text holding a relative path (a symbolic
link that a copy has flattened) is followed.
"""
import ctypes
import json
import os
import struct

import torch

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
LONGEST_LINK = 4096


def follow_link(path):
    """The file of `path`: itself, or the target if it is a flattened symbolic link."""
    if os.path.getsize(path) > LONGEST_LINK:
        return path
    with open(path, "rb") as file:
        content = file.read()
    if not content.endswith(b".safetensors") or b"\0" in content:
        return path
    return follow_link(os.path.join(os.path.dirname(path), content.decode()))


def read_tensors(path):
    """All tensors of a safetensors file, in their stored dtypes, as {name: tensor}."""
    with open(follow_link(path), "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        # A copy, because an offset inside the file need not be aligned for the dtype.
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=dtype) if end > begin \
            else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write_tensors(path, tensors):
    """Writes {name: tensor} in name order, wider dtypes first so that every tensor is aligned."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in order:
        tensor = tensors[name]
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in order:
            tensor = tensors[name].detach().contiguous()
            file.write(ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()))
