// The CUDA side of kernels/embedding.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void embedding_forward(const Stream& stream, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y);
void embedding_backward(const Stream& stream, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable);
void gather_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y);

}  // namespace lynceus::kernels::cuda
