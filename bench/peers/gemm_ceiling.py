"""The arithmetic ceiling of this machine: f32 matrix product at 2048^3 in oneDNN and in OpenBLAS.

    python3 gemm_ceiling.py            one JSON line
    python3 gemm_ceiling.py --serve    for each line of stdin the GFLOP/s of the better library

Both libraries are called directly through their C interfaces. Their thread counts come from
OMP_NUM_THREADS and OPENBLAS_NUM_THREADS, OpenBLAS's kernels from OPENBLAS_CORETYPE; the runner
sets them.
"""
import argparse
import array
import ctypes
import ctypes.util
import json
import random
import sys
import time

SIZE = 2048
REPEATS = 3
FLOPS = 2 * SIZE ** 3


def make_matrix():
    values = random.Random(1)
    block = array.array("f", [values.uniform(-1, 1) for _ in range(4096)])
    return block * (SIZE * SIZE // len(block))


def load(names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


class Ceiling:
    """Three matrices that are allocated once, and the libraries that were found."""

    def __init__(self):
        self.matrices = [make_matrix() for _ in range(3)]
        self.pointers = [ctypes.c_void_p(matrix.buffer_info()[0]) for matrix in self.matrices]
        self.libraries = {}
        openblas = load(["libopenblas.so.0", "libopenblas.so"])
        if openblas:
            self.libraries["openblas"] = lambda: self.openblas(openblas)
        onednn = load(["libdnnl.so.2", "libdnnl.so.3", "libdnnl.so"])
        if onednn:
            self.libraries["onednn"] = lambda: self.onednn(onednn)
        if not self.libraries:
            raise SystemExit("gemm_ceiling: neither OpenBLAS nor oneDNN was found")

    def openblas(self, library):
        a, b, c = self.pointers
        row_major, no_transpose, n = 101, 111, ctypes.c_int(SIZE)
        library.cblas_sgemm(row_major, no_transpose, no_transpose, n, n, n, ctypes.c_float(1.0),
                            a, n, b, n, ctypes.c_float(0.0), c, n)

    def onednn(self, library):
        a, b, c = self.pointers
        no_transpose, n = ctypes.c_char(b"N"), ctypes.c_int64(SIZE)
        status = library.dnnl_sgemm(no_transpose, no_transpose, n, n, n, ctypes.c_float(1.0),
                                    a, n, b, n, ctypes.c_float(0.0), c, n)
        if status != 0:
            raise SystemExit(f"gemm_ceiling: dnnl_sgemm returned {status}")

    def measure(self):
        """GFLOP/s by library, the middle of three runs after one that is not counted."""
        found = {}
        for name, multiply in self.libraries.items():
            multiply()
            seconds = []
            for _ in range(REPEATS):
                begin = time.perf_counter()
                multiply()
                seconds.append(time.perf_counter() - begin)
            found[name] = FLOPS / sorted(seconds)[REPEATS // 2] / 1e9
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="one measurement a line of stdin")
    ceiling = Ceiling()
    if not parser.parse_args().serve:
        print(json.dumps({name: round(value, 1) for name, value in ceiling.measure().items()}))
        return
    for _ in sys.stdin:
        print(f"{max(ceiling.measure().values()):.2f}", flush=True)


if __name__ == "__main__":
    main()
