// Converts learned ViT positions from one resolution to another, as the released Lynx code does.
#pragma once

#include "core/tensor.h"

namespace lynceus::model {

/// position [1, 1 + from², width] -> [1, 1 + to², width]. The class row is copied; the grid is
/// interpolated bicubically as torch.nn.functional.interpolate(mode="bicubic",
/// align_corners=False): Keys' kernel with a = −0.75, source coordinate (i + 0.5)·from/to − 0.5,
/// borders clamped, no antialiasing. f32 in host memory, computed in f64. Equal grids: a copy.
Tensor interpolate_position(const Stream& stream, const Tensor& position, int64_t to);

}  // namespace lynceus::model
