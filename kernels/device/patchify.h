#pragma once

#include "kernels/device/kernel.h"
#include "kernels/patchify.h"

namespace lynceus::kernels {

struct PatchifyKernels {
  Kernel<decltype(kernels::patchify)> patchify;
  Kernel<decltype(kernels::assemble_vision_tokens)> assemble_vision_tokens;
};

namespace cpu {
extern const PatchifyKernels kPatchify;
}
namespace cuda {
extern const PatchifyKernels kPatchify;
}

}  // namespace lynceus::kernels
