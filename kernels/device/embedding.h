#pragma once

#include "kernels/device/kernel.h"
#include "kernels/embedding.h"

namespace lynceus::kernels {

struct EmbeddingKernels {
  Kernel<decltype(kernels::embedding_forward)> embedding_forward;
  Kernel<decltype(kernels::embedding_backward)> embedding_backward;
  Kernel<decltype(kernels::gather_rows)> gather_rows;
  Kernel<decltype(kernels::scatter_rows)> scatter_rows;
};

namespace cpu {
extern const EmbeddingKernels kEmbedding;
}
namespace cuda {
extern const EmbeddingKernels kEmbedding;
}

}  // namespace lynceus::kernels
