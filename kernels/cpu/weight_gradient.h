// The weight gradient of a linear map in f32. Arguments are already checked.
#pragma once

#include <cstdint>

#include "core/stream.h"

namespace lynceus::kernels::cpu {

/// dw [out, in] += dyᵀ·x with dy [rows, out], x [rows, in].
void gemm_backward_weight(const Stream& stream, int64_t out, int64_t in, int64_t rows,
                          const float* dy, const float* x, float* dw);

}  // namespace lynceus::kernels::cpu
