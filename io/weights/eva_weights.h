// EVA-CLIP checkpoints of the vision encoder store each block's q, k and v as one tensor
// "blocks.N.attn.qkv.weight" [3D, D] (rows q, k, v) with "q_bias" and "v_bias". The released Lynx
// code names them apart. This adapter shows such a source under the released names:
//   attn.qkv.weight -> attn.{q,k,v}_proj.weight [D, D] each, attn.{q,v}_bias -> {q,v}_proj.bias
// In a checkpoint of the whole EVA-CLIP the encoder's names begin with "visual.", and it has ends
// that Lynx does not use: blocks past the 39th, a last norm, a head.
#pragma once

#include "io/weights/weights.h"

namespace lynceus::io {

/// Whether any tensor of the source is a fused qkv weight.
bool has_fused_qkv(const WeightSource& source);

/// Names that are not fused pass unchanged. InputError if a fused tensor has no rows in threes.
WeightSourcePtr split_fused_qkv(WeightSourcePtr source);

/// The names behind "visual." if there are such names, otherwise the same source.
WeightSourcePtr vision_tower(WeightSourcePtr source);

/// Without "blocks.N." of num_layers and above, "norm.", "fc_norm." and "head."; describe() says
/// which of them there were.
WeightSourcePtr without_unused_ends(WeightSourcePtr source, int64_t num_layers);

}  // namespace lynceus::io
