// The CPU side of kernels/adamw.h: same contract, arguments already checked.
#pragma once

#include "kernels/adamw.h"

namespace lynceus::kernels::cpu {

void adamw(const AdamWStep& step, const Tensor& grad, const Tensor& value, const Tensor& m,
           const Tensor& v);

}  // namespace lynceus::kernels::cpu
