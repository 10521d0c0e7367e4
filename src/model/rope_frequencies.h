// The frequencies of the rotary embedding, with the scaling of a model for longer contexts. The
// formulas are those of Hugging Face transformers (modeling_rope_utils.py), in f64. With
// f(i) = theta^(−2i/d), i = 0 … d/2 − 1:
//
//   linear    f(i) / factor
//   dynamic   theta is multiplied by (factor · n / positions − (factor − 1))^(d / (d − 2)), where n
//             is the length of the sequence, at least `positions`: short sequences are not changed
//   llama3    w = 2π / f(i), the wavelength: f(i) if w < positions / high; f(i) / factor if
//             w > positions / low; between them (1 − s) · f(i) / factor + s · f(i) with
//             s = (positions / w − low) / (high − low)
#pragma once

#include <cstdint>
#include <vector>

#include "io/weights/rope_scaling.h"

namespace lynceus::model {

/// [head_dim / 2]. `length`: of the sequence, tokens; only dynamic scaling depends on it.
std::vector<double> rope_frequencies(const io::RopeScaling& scaling, double theta, int64_t head_dim,
                                     int64_t length);

}  // namespace lynceus::model
