// The CPU side of kernels/embedding.h: same contracts, shapes already checked; row numbers out of
// range are InternalErrors here.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

void embedding_forward(const Tensor& token_ids, const Tensor& table, int64_t vocab_begin,
                       const Tensor& y);
void embedding_backward(const Tensor& token_ids, const Tensor& dy, int64_t vocab_begin,
                        const Tensor& dtable);
void gather_rows(const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(const Tensor& x, const Tensor& rows, const Tensor& y);

}  // namespace lynceus::kernels::cpu
