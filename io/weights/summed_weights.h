// A model as the difference from another one: Vicuna v1.1 was given as what must be added to LLaMA,
// tensor by tensor. This source shows the sum, value = base + delta, each read in slices and added
// in f32, so that nothing is written before it is used.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// Both must have the same names and shapes, but for kIgnoredWeights, which are hidden: else one
/// InputError that lists every difference. files() has the base's, then the delta's.
WeightSourcePtr sum_of(WeightSourcePtr base, WeightSourcePtr delta);

}  // namespace lynceus::io
