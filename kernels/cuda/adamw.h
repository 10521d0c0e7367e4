// The CUDA side of kernels/adamw.h: same contract, arguments already checked.
#pragma once

#include "kernels/adamw.h"

namespace lynceus::kernels::cuda {

void adamw(const Stream& stream, std::span<const AdamWUpdate> updates);

}  // namespace lynceus::kernels::cuda
