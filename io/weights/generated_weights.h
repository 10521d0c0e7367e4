// Weights computed by a rule, for reference cases that are too large to store. For tensor NAME and
// flat row-major index i, all arithmetic modulo 2^64:
//   z = fnv1a64(NAME) xor (seed * G) + (i + 1) * G       with G = 0x9E3779B97F4A7C15
//   z = splitmix64's finaliser of z
//   k = (z >> 56) - 128                                   in -128..127
//   value = offset + (k >> shift) * 2^exp                 exact in bf16; "const" tensors: one value
// Every element is a function of its index, so reading a slice computes only its elements.
#pragma once

#include <filesystem>

#include "io/weights/weights.h"

namespace lynceus::io {

/// `path`: a weights.gen.json {"seed", "tensors": [{"name", "shape", "offset", "shift", "exp"} or
/// {"name", "shape", "const"}]}. InputError naming the key, also for values that are not exact in
/// bf16.
WeightSourcePtr open_generated_weights(const std::filesystem::path& path);

}  // namespace lynceus::io
