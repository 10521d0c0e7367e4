// What every CUDA kernel is in a build without CUDA.
#pragma once

#include "core/error.h"

namespace lynceus::kernels::cuda {

[[noreturn]] inline void not_built() {
  throw InternalError("a CUDA kernel was called in a program built without CUDA");
}

}  // namespace lynceus::kernels::cuda
