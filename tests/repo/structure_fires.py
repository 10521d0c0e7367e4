#!/usr/bin/env python3
"""Proves that structure.py finds each kind of fault, and that it accepts a tree without faults."""

import contextlib
import io
import os
import sys
import tempfile

import structure

CLEAN = {
    "core/a.h": "#include <vector>\nnamespace lynceus { struct Tensor { struct Saved {}; }; }",
    "core/b.h": '#include "core/a.h"\nnamespace lynceus { class Tensor; using Bytes = int; }',
    "core/no_cuda/device.cpp": '#include "core/a.h"',
    "kernels/a.h": '#include "core/a.h"\nnamespace lynceus::kernels { class Norm { struct Saved {}; }; }',
    "kernels/cpu/a.h": '#include "core/a.h"',
    "kernels/cpu/a.cpp": "#include <oneapi/dnnl/dnnl.hpp>\nnamespace lynceus { namespace { struct Local {}; } }",
    "kernels/cuda/a.cu": "#include <cuda_runtime.h>",
    "parallel/a.h": '#include "core/a.h"\n// struct Tensor {};\nnamespace lynceus::parallel { struct tm f() {} }',
    "parallel/a.cpp": "#include <mpi.h>\nnamespace lynceus::parallel { namespace { struct Local {}; } }",
    "io/files/a.h": '#include <hdf5.h>\n#include <nlohmann/json.hpp>\n#include "parallel/a.h"',
    "io/dataset/a.h": '#include "io/files/a.h"',
    "io/media/a.h": '#include <jpeglib.h>\n#include "io/dataset/a.h"',
    "src/model/a.h": '#include "io/files/a.h"\n#include "kernels/a.h"\nconst char* text = "struct Tensor {";',
    "src/train/config.h": '#include "model/a.h"',
    "src/train/data/a.h": '#include "train/config.h"',
    "src/train/step/a.h": '#include "train/data/a.h"',
    "src/train/run/a.h": '#include "train/step/a.h"\n#include "train/data/a.h"',
    "src/verify/a.h": '#include "model/a.h"\n#include "train/run/a.h"',
    "src/frames/main.cpp": '#include <libavformat/avformat.h>\n#include "io/media/a.h"',
    "src/export/a.h": '#include "train/run/a.h"',
    "src/prepare/rows/json_stream.h": "#include <nlohmann/json.hpp>",
    "src/prepare/sources/a.h": '#include "prepare/rows/json_stream.h"',
    "src/cli/train.cpp": '#include "train/run/a.h"\n#include "verify/a.h"\n#include "prepare/sources/a.h"',
}

# path, text, what the fault must say (the path comes first); the rule.
FAULTS = [
    ("core/bad.h", '#include "kernels/a.h"', "core may include core; found", "rooms"),
    ("kernels/bad.h", '#include "parallel/a.h"', ":1: ", "rooms"),
    ("kernels/cpu/a.h", '#include "io/files/a.h"', ":1: ", "rooms"),
    ("parallel/bad.h", '#include "io/files/a.h"', ":1: ", "rooms"),
    ("io/files/bad.h", '#include "kernels/a.h"', ":1: ", "rooms"),
    ("io/files/bad.h", "#  include <model/a.h>", ":1: ", "rooms"),
    ("src/model/bad.h", '\n#include "train/config.h"', ":2: ", "rooms"),
    ("src/train/run/bad.h", '#include "verify/a.h"', ":1: ", "rooms"),
    ("src/train/run/bad.h", '#include "cli/a.h"', ":1: ", "rooms"),
    ("src/verify/bad.h", '#include "cli/a.h"', ":1: ", "rooms"),
    ("src/verify/bad.h", '#include "export/a.h"', ":1: ", "rooms"),
    ("src/export/bad.h", '#include "verify/a.h"', ":1: ", "rooms"),
    ("src/prepare/bad.h", '#include "train/config.h"', ":1: ", "rooms"),
    ("src/prepare/bad.h", '#include "model/a.h"', ":1: ", "rooms"),
    ("src/frames/bad.h", '#include "train/config.h"', ":1: ", "rooms"),
    ("src/foo/a.h", "", "in one of the rooms", "rooms"),
    ("src/bad.h", "", "in one of the rooms", "rooms"),
    ("io/files/bad.hpp", "", "expected a .h, .cpp, .cu or .cuh file", "rooms"),
    ("core/bad.h", "#include <../src/model/a.h>", ":1: ", "rooms"),
    ("src/cli/train_foo.cpp", "", "expected the header train_foo.h", "headers"),
    ("core/bad.h", '#include "a.h"', "expected the room in the name", "rooms"),
    ("io/files/bad.h", '#include "io/media/a.h"', "io/files may include files of io", "parts"),
    ("io/dataset/bad.h", '#include "io/media/a.h"', ":1: ", "parts"),
    ("io/bad.h", "", "expected one of the folders", "parts"),
    ("src/train/bad.h", '#include "train/data/a.h"', ":1: ", "parts"),
    ("src/train/data/bad.h", '#include "train/step/a.h"', ":1: ", "parts"),
    ("src/train/step/bad.h", '#include "train/run/a.h"', ":1: ", "parts"),
    ("src/prepare/bad.h", '#include "prepare/sources/a.h"', ":1: ", "parts"),
    ("core/bad.h", "  #include <mpi.h>", ":1: ", "vendors"),
    ("src/model/bad.h", "#include <hdf5.h>", ":1: ", "vendors"),
    ("kernels/bad.h", "#include <dnnl.hpp>", ":1: ", "vendors"),
    ("kernels/cpu/a.h", "#include <cublas_v2.h>", ":1: ", "vendors"),
    ("parallel/bad.h", "#include <nccl.h>", ":1: ", "vendors"),
    ("src/train/bad.h", "#include <png.h>", ":1: ", "vendors"),
    ("io/media/bad.h", "#include <libavformat/avformat.h>", ":1: ", "vendors"),
    ("io/media/bad.h", "#include <nlohmann/json.hpp>", ":1: ", "vendors"),
    ("core/a.h", '#include "core/b.h"', "core/a.h -> core/b.h -> core/a.h", "circles"),
    ("core/bad.h", '#include "core/bad.h"', "core/bad.h -> core/bad.h", "circles"),
    ("core/bad.h", "\n" * 401, "expected at most 400 lines, found 402", "sizes"),
    ("core/bad.cpp", "", "expected the header bad.h", "headers"),
    ("kernels/bad.cpp", '#include "kernels/a.h"', "expected the header bad.h", "headers"),
    ("src/cli/bad.cpp", "", "expected the header bad.h", "headers"),
    ("io/files/bad.h", "namespace lynceus::io { struct Tensor {}; }", "lynceus::io::Tensor (", "types"),
    ("kernels/bad.h", "namespace lynceus::io {\nclass Norm final : A<int> {}; }", "bad.h:2", "types"),
    ("io/files/bad.h", "namespace lynceus { namespace io { enum class Norm : int {}; } }", "io::Norm", "types"),
    ("io/files/bad.h", "namespace lynceus::io { using Bytes = long; }", "lynceus::io::Bytes", "types"),
    ("io/files/bad.h", "namespace lynceus::io { template <class T = A<B<C>>> struct Norm {}; }", "io::Norm", "types"),
    ("io/files/bad.h", "namespace lynceus::io { struct [[nodiscard]] alignas(8) Norm {}; }", "io::Norm", "types"),
    ("io/files/bad.h", "namespace lynceus::io { int f() { return 1'000; } struct Norm {}; }", "io::Norm", "types"),
    ("io/files/bad.h", 'namespace lynceus::io { auto s = R"(})"; struct Norm {}; }', "io::Norm", "types"),
    ("core/bad.h", "namespace lynceus { struct Tensor {}; }", "defined more than once", "types"),
]


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def check(root):
    """(exit code, what is printed) of structure.py."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = structure.main(root)
    return code, output.getvalue()


def complain(text, output):
    print(text)
    print(output)
    return 1


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as root:
        for path, text in CLEAN.items():
            write(root, path, text)
        code, output = check(root)
        if code != 0:
            wrong += complain("a tree without faults is refused:", output)
        for path, text, words, rule in FAULTS:
            write(root, path, text)
            code, output = check(root)
            found = [line for line in output.splitlines() if path in line and words in line and f"[{rule}]" in line]
            if code != 1 or not found:
                wrong += complain(f"not found by the rule {rule}: {path} with {text[:70]!r}:", output)
            if path in CLEAN:
                write(root, path, CLEAN[path])
            else:
                os.remove(os.path.join(root, path))
        for number in range(37):
            write(root, f"core/many/{number}.h", "")
        code, output = check(root)
        if code != 1 or "core/many: expected at most 36 source files, found 37" not in output:
            wrong += complain("not found: a folder with 37 source files", output)
        if check(os.path.join(root, "empty"))[0] != 2:
            wrong += complain("not found: a folder without a source tree", "")
    print(f"{len(FAULTS) + 2} faults, {wrong} wrong answers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
