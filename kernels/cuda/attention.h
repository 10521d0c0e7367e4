// The CUDA side of kernels/attention.h: same contracts, arguments already checked.
#pragma once

#include "kernels/attention.h"

namespace lynceus::kernels::cuda {

void attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin, const Tensor& out, const Tensor* lse);

void attention_backward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                        const Tensor& dout, const CumulativeLengths& q_begin,
                        const CumulativeLengths& k_begin, const Tensor& dq, const Tensor& dk,
                        const Tensor& dv);

}  // namespace lynceus::kernels::cuda
