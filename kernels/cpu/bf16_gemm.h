// Products of bf16 matrices on processors that multiply bf16 (AMX, AVX512-BF16), by oneDNN's matmul
// primitive. No factor is widened, sums run in f32, and a bf16 result is rounded once, as with
// widened factors (kernels/cpu/float32.h).
//
// A primitive is compiled for one shape and number of threads and stored in the stream's pool. The
// same call with the same number of threads gives the same bits.
#pragma once

#include <cstdint>
#include <memory>

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// c [m, n] = a [m, k] · b [k, n], or `+=` with `accumulate`, then c = act(c + bias). Matrices are
/// row-major and dense; a transposed one is stored as [k, m] or [n, k].
struct Bf16Gemm {
  int64_t m = 0, n = 0, k = 0;
  bool a_transposed = false, b_transposed = false;
  bool accumulate = false;
  bool gelu = false;
};

/// Whether the processor multiplies bf16. With LYNCEUS_ISA=avx2: false.
bool has_bf16_products();

/// Whether a product of this size is faster in bf16 than with widened factors.
bool pays_in_bf16(int64_t m, int64_t n, int64_t k);

/// a and b are bf16, bias f32 [n] (null: none), c bf16 or f32. Returns false and computes nothing
/// if the library has no such product on this processor.
[[nodiscard]] bool bf16_gemm(const Stream& stream, const Bf16Gemm& problem, const Tensor& a,
                             const Tensor& b, const Tensor* bias, const Tensor& c);

/// A weight in the library's own order, which its products read without a copy.
struct Bf16Weight;

/// The bf16 matrix w [out, in] as the b of `b_transposed` products. Null if the library has no
/// better order than that of w.
std::shared_ptr<const Bf16Weight> pack_bf16(const Stream& stream, const Tensor& w);
/// Returns w [out, in].
Tensor unpack_bf16(const Stream& stream, const Bf16Weight& weight);
size_t bytes_of(const Bf16Weight& weight);

[[nodiscard]] bool bf16_gemm(const Stream& stream, const Bf16Gemm& problem, const Tensor& a,
                             const Bf16Weight& b, const Tensor* bias, const Tensor& c);

/// The number of different products stored in the stream's pool.
size_t kept_bf16_products(const Stream& stream);

}  // namespace lynceus::kernels::cpu
