#include "kernels/cpu/onednn_memory.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "core/process/out_of_memory.h"

namespace lynceus::kernels::cpu {
namespace {

// oneDNN 2.6 maps 256 KiB for each piece of code, of which the first product of a kind makes up to
// about 40.
constexpr size_t kCodeBytes = 32 << 20;
// The library has code of its own for small sizes; all larger ones share theirs.
constexpr int64_t kSizes = 17;
constexpr size_t kKinds = 8 * kSizes * kSizes * kSizes;

}  // namespace

void expect_memory_for_code() { expect_memory(kCodeBytes); }

void expect_memory_for_product(const ProductKind& kind, int64_t m, int64_t n, int64_t k) {
  static std::array<std::atomic<bool>, kKinds> seen{};
  size_t index = 4 * kind.a_transposed + 2 * kind.b_transposed + kind.accumulate;
  for (const int64_t size : {m, n, k})
    index = index * kSizes + static_cast<size_t>(std::min(size, kSizes) - 1);
  if (seen[index].load(std::memory_order_relaxed)) return;
  expect_memory_for_code();
  seen[index].store(true, std::memory_order_relaxed);
}

}  // namespace lynceus::kernels::cpu
