// Images to patch rows, and patch rows to a token sequence (Dosovitskiy et al. 2021). patches and y
// are f32 or bf16; pixels, cls and position f32.
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// pixels [images, channels, side, side] -> patches [images · (side/p)², columns], patches in
/// row-major order, elements in (channel, y, x) order: a convolution of stride p becomes
/// linear_forward with the kernel as a matrix [out, channels · p · p]. Columns after these are 0.
void patchify(const Stream& stream, const Tensor& pixels, int64_t patch_size,
              const Tensor& patches);

/// y[i, 0, :] = cls + position[0, :];  y[i, 1 + j, :] = patches[i · n + j, :] + position[1 + j, :].
/// patches [images · n, width], cls [width], position [1 + n, width], y [images · (1 + n), width].
void assemble_vision_tokens(const Stream& stream, const Tensor& patches, const Tensor& cls,
                            const Tensor& position, const Tensor& y);

}  // namespace lynceus::kernels
