// A model given as the difference from another one: Vicuna v1.1 was published as a delta to LLaMA.
// This source is the sum, value = base + delta, read in slices and added in f32, so no merged copy
// has to be written.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// Both must have the same names and shapes, except for kIgnoredWeights, which are hidden.
/// Otherwise one InputError lists every difference. files() lists the base's, then the delta's.
WeightSourcePtr sum_of(WeightSourcePtr base, WeightSourcePtr delta);

}  // namespace lynceus::io
