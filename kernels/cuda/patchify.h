// The CUDA side of kernels/patchify.h: same contracts, arguments already checked.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cuda {

void patchify(const Stream& stream, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches);
void assemble_vision_tokens(const Stream& stream, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y);

}  // namespace lynceus::kernels::cuda
