// A model stored as the difference from another one: Vicuna v1.1 was published as a delta to LLaMA.
// This source is the sum, value = base + delta, read in slices and added in f32, so that no merged
// copy is written.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// Both must have the same names and shapes, except for kIgnoredWeights, which are hidden.
/// Otherwise one InputError lists every difference. files() lists those of the base, then those of
/// the delta.
WeightSourcePtr sum_of(WeightSourcePtr base, WeightSourcePtr delta);

}  // namespace lynceus::io
