// Weights of which some tensors are replaced by those of another source.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// The tensors of `base`, those of the same name from `overlay` in their place. InputError for a
/// tensor of the overlay that the base does not have, or has in another shape.
WeightSourcePtr overlaid(WeightSourcePtr base, WeightSourcePtr overlay);

}  // namespace lynceus::io
