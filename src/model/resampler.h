// The Perceiver resampler (Alayrac et al. 2022, as Lynx has it): learned latents attend to the
// vision tokens of a sample; keys and values come from the vision tokens only.
//
//   latents = latents + attention(norm(latents), norm_media(vision))
//   latents = latents + ff(norm(latents))
//
// and a final norm. Inner width heads · head_dim is unrelated to the width. Replicated on every
// rank.
#pragma once

#include <vector>

#include "kernels/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/norm.h"

namespace lynceus::model {

struct ResamplerLayer {
  LayerNorm norm_media;    // [vision width]
  LayerNorm norm_latents;  // [width]
  Linear to_q;             // [inner, width]
  Linear to_kv;            // [2 · inner, vision width]: keys first, then values
  Linear to_out;           // [width, inner]
  LayerNorm ff_norm;       // [width]
  Linear ff1;              // [ff, width]
  Linear ff2;              // [width, ff]

  struct Saved {
    LayerNorm::Saved norm_media, norm_latents, ff_norm;
    Linear::Saved to_q, to_kv, to_out, ff1, ff2;
    Tensor q;         // [items · latents, inner]
    Tensor k, v;      // [vision tokens, inner]
    Tensor out, lse;  // [items · latents, inner], [heads, items · latents]
    Tensor hidden;    // [items · latents, ff], before GELU
  };
};

struct Resampler {
  Parameter latents;  // [num_latents, width]
  std::vector<ResamplerLayer> layers;
  LayerNorm norm;
  int64_t num_heads = 8;
  int64_t head_dim = 64;

  struct Saved {
    std::vector<ResamplerLayer::Saved> layers;
    LayerNorm::Saved norm;
    kernels::CumulativeLengths latent_begin;
  };

  /// media [Σ vision tokens, vision width], item i in rows media_begin[i]..[i + 1]
  /// -> [items · latents, width].
  Tensor forward(const Runtime& rt, const Tensor& media,
                 const kernels::CumulativeLengths& media_begin, Saved* saved) const;
  /// dmedia [Σ vision tokens, vision width]; null: not wanted.
  void backward(const Runtime& rt, const kernels::CumulativeLengths& media_begin,
                const Saved& saved, const Tensor& dy, const Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);

 private:
  kernels::AttentionShape attention_shape() const;
  Tensor forward_layer(const Runtime& rt, const ResamplerLayer& layer, const Tensor& media,
                       const kernels::CumulativeLengths& media_begin,
                       const kernels::CumulativeLengths& latent_begin, const Tensor& x,
                       ResamplerLayer::Saved* saved) const;
  Tensor backward_layer(const Runtime& rt, const ResamplerLayer& layer,
                        const kernels::CumulativeLengths& media_begin,
                        const kernels::CumulativeLengths& latent_begin,
                        const ResamplerLayer::Saved& saved, const Tensor& dy,
                        const Tensor* dmedia) const;
};

Resampler make_resampler(const ParameterMaker& make, const ModelConfig& config);

}  // namespace lynceus::model
