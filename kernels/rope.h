// Rotary position embedding (Su et al. 2021) in Hugging Face LLaMA's layout: within a head of size
// d, element i is paired with i + d/2 and rotated by position · f(i); without scaling f(i) is
// theta^(−2i/d).
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels {

/// cos, sin f32 [tokens, head_dim / 2] of positions i32 [tokens] and frequencies f64 [head_dim /
/// 2]: angle = position · frequency, in f64.
void rope_table(const Stream& stream, const Tensor& positions, const Tensor& frequencies,
                const Tensor& cos, const Tensor& sin);

/// x [tokens, heads · head_dim], rotated in place.
void rope_forward(const Stream& stream, const Tensor& cos, const Tensor& sin, const Tensor& x);
/// dx rotated back in place (the transpose of the rotation).
void rope_backward(const Stream& stream, const Tensor& cos, const Tensor& sin, const Tensor& dx);

}  // namespace lynceus::kernels
