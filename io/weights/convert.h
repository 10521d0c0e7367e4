// Converts between the element types on disk and in memory. bf16 is the upper half of an f32; f16
// is IEEE 754 binary16. Narrowing rounds to nearest, ties to even; NaN stays NaN. Little-endian
// bytes on both sides; pointers need no alignment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace lynceus::io {

float f32_of_bf16(uint16_t bits);
float f32_of_f16(uint16_t bits);
uint16_t bf16_of_f32(float value);
uint16_t f16_of_f32(float value);

/// Whether convert() supports the pair: equal types, or any two floating-point types.
bool convertible(DType from, DType to);

/// Converts `count` elements; source and target must not overlap. InternalError for a pair that is
/// not convertible().
void convert(const void* source, DType from, void* target, DType to, size_t count);

}  // namespace lynceus::io
