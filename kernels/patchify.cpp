#include "kernels/patchify.h"

#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/patchify.h"

namespace lynceus::kernels {

void patchify(const Stream& stream, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches) {
  if (pixels.rank() != 4 || pixels.dim(2) != pixels.dim(3) || patch_size < 1 ||
      pixels.dim(3) % patch_size != 0)
    throw InternalError(
        "patchify: pixels is {}, expected [images, channels, side, side] with side a multiple of "
        "the patch size {}",
        description(pixels), patch_size);
  const int64_t per_side = pixels.dim(3) / patch_size;
  check_vector("patchify", "pixels", pixels, pixels.size());
  const int64_t columns = std::max(patches.cols(), pixels.dim(1) * patch_size * patch_size);
  check_activation("patchify", "patches", patches, pixels.dim(0) * per_side * per_side, columns,
                   patches.dtype());
  if (stream.device().is_cpu())
    cpu::kPatchify.patchify(stream, pixels, patch_size, cpu::Out(stream, patches));
  else
    cuda::kPatchify.patchify(stream, pixels, patch_size, patches);
}

void assemble_vision_tokens(const Stream& stream, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y) {
  constexpr const char* kKernel = "assemble_vision_tokens";
  const int64_t tokens = position.rows();  // 1 + n
  const int64_t width = position.cols();
  LYNCEUS_CHECK(tokens > 1, "{}: position is {}", kKernel, description(position));
  check_matrix(kKernel, "position", position, tokens, width);
  check_vector(kKernel, "cls", cls, width);
  const int64_t images = patches.rows() / (tokens - 1);
  check_activation(kKernel, "patches", patches, images * (tokens - 1), width, patches.dtype());
  check_activation(kKernel, "y", y, images * tokens, width, patches.dtype());
  if (stream.device().is_cpu())
    cpu::kPatchify.assemble_vision_tokens(stream, cpu::In(stream, patches), cls, position,
                                          cpu::Out(stream, y));
  else
    cuda::kPatchify.assemble_vision_tokens(stream, patches, cls, position, y);
}

}  // namespace lynceus::kernels
