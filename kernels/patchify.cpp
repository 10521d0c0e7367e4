// Checks of the patch kernels, then the device's implementation.
#include "kernels/patchify.h"

#include "kernels/checks.h"
#include "kernels/cpu/patchify.h"

namespace lynceus::kernels {

void patchify(const Stream& stream, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches) {
  check_on_cpu("patchify", stream);
  if (pixels.rank() != 4 || pixels.dim(2) != pixels.dim(3) || patch_size < 1 ||
      pixels.dim(3) % patch_size != 0)
    throw InternalError(
        "patchify: pixels is {}, expected [images, channels, side, side] with side a multiple of "
        "the patch size {}",
        description(pixels), patch_size);
  const int64_t per_side = pixels.dim(3) / patch_size;
  check_vector("patchify", "pixels", pixels, pixels.size());
  check_matrix("patchify", "patches", patches, pixels.dim(0) * per_side * per_side,
               pixels.dim(1) * patch_size * patch_size);
  cpu::patchify(pixels, patch_size, patches);
}

void assemble_vision_tokens(const Stream& stream, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y) {
  constexpr const char* kKernel = "assemble_vision_tokens";
  check_on_cpu(kKernel, stream);
  const int64_t tokens = position.rows();  // 1 + n
  const int64_t width = position.cols();
  LYNCEUS_CHECK(tokens > 1, "{}: position is {}", kKernel, description(position));
  check_matrix(kKernel, "position", position, tokens, width);
  check_vector(kKernel, "cls", cls, width);
  const int64_t images = patches.rows() / (tokens - 1);
  check_matrix(kKernel, "patches", patches, images * (tokens - 1), width);
  check_matrix(kKernel, "y", y, images * tokens, width);
  cpu::assemble_vision_tokens(patches, cls, position, y);
}

}  // namespace lynceus::kernels
