// EVA-CLIP checkpoints of the vision encoder store each block's q, k and v as one tensor
// "blocks.N.attn.qkv.weight" [3D, D] (rows q, k, v) with "q_bias" and "v_bias". The released Lynx
// code has three separate tensors. This source presents them under the released names:
//
//   attn.qkv.weight -> attn.{q,k,v}_proj.weight [D, D] each, attn.{q,v}_bias -> {q,v}_proj.bias
//
// A checkpoint of the complete EVA-CLIP has the prefix "visual." before the names of the vision
// encoder, and parts that Lynx does not use: blocks after the 39th, a final norm, a head.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// Whether any tensor of the source is a fused qkv weight.
bool has_fused_qkv(const WeightSource& source);

/// Other tensors are passed through. InputError if the rows of a fused tensor are not a multiple of
/// three.
WeightSourcePtr split_fused_qkv(WeightSourcePtr source);

/// The tensors whose names begin with "visual.", without this prefix; `source` if there are none.
WeightSourcePtr vision_tower(WeightSourcePtr source);

/// Hides "blocks.N." with N >= num_layers, "norm.", "fc_norm." and "head."; describe() lists the
/// hidden prefixes.
WeightSourcePtr without_unused_ends(WeightSourcePtr source, int64_t num_layers);

}  // namespace lynceus::io
