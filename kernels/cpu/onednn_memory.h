// Memory for the code that oneDNN compiles. The library does not check whether it gets it, and
// writes to a null pointer.
#pragma once

#include <cstdint>

namespace lynceus::kernels::cpu {

/// Before a primitive is made: Error(kIo, kOutOfMemory) if there is no memory to compile it.
void expect_memory_for_code();

struct ProductKind {
  bool a_transposed = false, b_transposed = false, accumulate = false;
};
/// Before dnnl_sgemm of [m, k] by [k, n], which compiles code at the first product of each kind:
/// expect_memory_for_code() if this is the first with these transpositions whose sizes are in the
/// same classes (1, 2, ... 16, more). Thread-safe.
void expect_memory_for_product(const ProductKind& kind, int64_t m, int64_t n, int64_t k);

}  // namespace lynceus::kernels::cpu
