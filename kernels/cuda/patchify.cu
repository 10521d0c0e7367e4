//
#include "kernels/device/patchify.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;

// A block writes one patch row.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    cut(const float* pixels, int channels, int side, int patch, int columns, T* patches) {
  const int per_side = side / patch;
  const int image = static_cast<int>(blockIdx.x) / (per_side * per_side);
  const int number = static_cast<int>(blockIdx.x) % (per_side * per_side);
  const int top = number / per_side * patch, left = number % per_side * patch;
  const int width = channels * patch * patch;
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kThreads) {
    const int channel = i / (patch * patch), y = i / patch % patch, x = i % patch;
    const int64_t row = (int64_t{image} * channels + channel) * side + top + y;
    patches[int64_t{blockIdx.x} * columns + i] = from_float<T>(pixels[row * side + left + x]);
  }
  for (int i = width + static_cast<int>(threadIdx.x); i < columns; i += kThreads)
    patches[int64_t{blockIdx.x} * columns + i] = from_float<T>(0);
}

// A block writes one token.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    assemble(const T* patches, const float* cls, const float* position, int tokens, int width,
             T* y) {
  const int64_t image = blockIdx.x / static_cast<unsigned>(tokens);
  const int token = static_cast<int>(blockIdx.x % static_cast<unsigned>(tokens));
  for (int i = static_cast<int>(threadIdx.x); i < width; i += kThreads) {
    const float value =
        token == 0 ? cls[i] : to_float(patches[(image * (tokens - 1) + token - 1) * width + i]);
    y[int64_t{blockIdx.x} * width + i] =
        from_float<T>(value + position[int64_t{token} * width + i]);
  }
}

void patchify(const Stream& stream, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches) {
  for_float_type(patches.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(cut<T>, static_cast<unsigned>(patches.rows()), kThreads, 0, stream,
                 pointer<float>(pixels), static_cast<int>(pixels.dim(1)),
                 static_cast<int>(pixels.dim(2)), static_cast<int>(patch_size),
                 static_cast<int>(patches.cols()), pointer<T>(patches));
  });
}

void assemble_vision_tokens(const Stream& stream, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y) {
  for_float_type(y.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(assemble<T>, static_cast<unsigned>(y.rows()), kThreads, 0, stream,
                 pointer<T>(patches), pointer<float>(cls), pointer<float>(position),
                 static_cast<int>(position.rows()), static_cast<int>(y.cols()), pointer<T>(y));
  });
}

}  // namespace

const PatchifyKernels kPatchify = {.patchify = patchify,
                                   .assemble_vision_tokens = assemble_vision_tokens};

}  // namespace lynceus::kernels::cuda
