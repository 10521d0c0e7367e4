// The frozen vision encoder, EVA-CLIP's ViT (Fang et al. 2022): class token, learned positions,
// pre-norm blocks, exact GELU, biases on q and v but not on k, no final norm. Forward only; keeps
// nothing. Callers pass images in groups that are small enough for the caches. Frames of a video
// are images here.
#pragma once

#include <vector>

#include "kernels/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/norm.h"

namespace lynceus::model {

struct VisionBlock {
  LayerNorm norm1;
  Linear q_proj, k_proj, v_proj, proj;  // [hidden, hidden]
  LayerNorm norm2;
  Linear fc1;  // [intermediate, hidden]
  Linear fc2;  // [hidden, intermediate]

  /// h = x + attention(norm1(x));  z = h + mlp(norm2(h)).  x, z [images · tokens, hidden];
  /// images: rows where images begin.
  void forward(const Runtime& rt, const VisionConfig& config,
               const kernels::CumulativeLengths& images, const Tensor& x, const Tensor& z) const;
};

struct VisionEncoder {
  VisionConfig config;
  Linear patch_embedding;  // [hidden, channels, patch, patch]
  Parameter cls_token;     // [1, 1, hidden]
  Parameter position;      // [1, tokens, hidden]
  std::vector<VisionBlock> blocks;

  /// pixels f32 [images, 3, side, side], normalized -> patch features [images · tokens, hidden],
  /// the class token first in each image.
  void forward(const Runtime& rt, const Tensor& pixels, const Tensor& features) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
  /// Copies the matrices into the GEMM library's order and frees the originals.
  void pack(const Runtime& rt);
};

VisionEncoder make_vision_encoder(const Runtime& rt, const VisionConfig& config);

}  // namespace lynceus::model
