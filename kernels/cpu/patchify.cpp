#include "kernels/device/patchify.h"

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

void patchify(const Stream& /*stream*/, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches) {
  const int64_t channels = pixels.dim(1);
  const int64_t side = pixels.dim(3);
  const int64_t per_side = side / patch_size;
  const int64_t width = patches.cols();
  const float* const in = pixels.data<float>();
  float* const out = patches.data<float>();
  for_each_row(patches.rows(), width, [=](int64_t row) {
    const int64_t image = row / (per_side * per_side);
    const int64_t top = row / per_side % per_side * patch_size;
    const int64_t left = row % per_side * patch_size;
    float* to = out + row * width;
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t y = 0; y < patch_size; ++y, to += patch_size)
        std::copy_n(in + ((image * channels + channel) * side + top + y) * side + left, patch_size,
                    to);
    std::fill(to, out + (row + 1) * width, 0.0f);
  });
}

void assemble_vision_tokens(const Stream& /*stream*/, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y) {
  const int64_t tokens = position.rows();
  const int64_t width = position.cols();
  const float* const patch_in = patches.data<float>();
  const float* const cls_in = cls.data<float>();
  const float* const position_in = position.data<float>();
  float* const out = y.data<float>();
  for_each_row(y.rows(), width, [=](int64_t row) {
    const int64_t image = row / tokens;
    const int64_t token = row % tokens;
    const float* const from =
        token == 0 ? cls_in : patch_in + (image * (tokens - 1) + token - 1) * width;
    const float* const offset = position_in + token * width;
    float* const to = out + row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) to[i] = from[i] + offset[i];
  });
}

}  // namespace

const PatchifyKernels kPatchify = {.patchify = patchify,
                                   .assemble_vision_tokens = assemble_vision_tokens};

}  // namespace lynceus::kernels::cpu
