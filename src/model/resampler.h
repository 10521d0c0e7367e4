// The Perceiver resampler (Alayrac et al. 2022, as Lynx has it): learned latents attend to the
// patch features of a media item; keys and values come from the patch features only. Then a final
// norm.
//
// media [rows, vision width]: the patch features of all items, item i in rows media_begin[i] to
// media_begin[i + 1]. The width of the attention, heads · head_dim (inner), is independent of the
// other widths. Replicated on every rank.
#pragma once

#include <array>
#include <vector>

#include "kernels/attention.h"
#include "model/config.h"
#include "model/linear.h"
#include "model/norm.h"

namespace lynceus::model {

/// h = x + to_out(attention(norm_latents(x), norm_media(media)));   y = h +
/// ff2(gelu(ff1(ff_norm(h))))
struct ResamplerLayer {
  LayerNorm norm_media;    // [vision width]
  LayerNorm norm_latents;  // [width]
  Linear to_q;             // [inner, width]
  Linear to_kv;            // [2 · inner, vision width]: keys first, then values
  Linear to_out;           // [width, inner]
  LayerNorm ff_norm;       // [width]
  Linear ff1;              // [ff, width]
  Linear ff2;              // [width, ff]
  kernels::AttentionShape shape;
  // The halves of to_kv; set where its weight is packed.
  std::array<kernels::PackedWeight, 2> packed_kv;

  struct Saved {
    LayerNorm::Saved norm_media, norm_latents, ff_norm;
    Linear::Saved to_q, to_kv, to_out, ff1, ff2;
    Tensor q;       // [items · latents, inner]
    Tensor k, v;    // [rows, inner]
    Tensor out;     // [items · latents, inner]
    Tensor lse;     // f32 [heads, items · latents]
    Tensor hidden;  // [items · latents, ff], before GELU
  };
  /// Rows where the items begin.
  struct Items {
    kernels::CumulativeLengths latents, media;
  };

  /// x, y [items · latents, width]
  Tensor forward(const Runtime& rt, const Items& items, const Tensor& x, const Tensor& media,
                 Saved* saved) const;
  /// Adds to dmedia [rows, vision width]; null: not wanted.
  void backward(const Runtime& rt, const Items& items, const Saved& saved, const Tensor& dy,
                Tensor* dx, const Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
  /// Keys and values are products of their own: the halves of to_kv are visited apart.
  void visit_linears(const LinearVisitor& visit);
};

ResamplerLayer make_resampler_layer(const ParameterMaker& make, const ModelConfig& config);

struct Resampler {
  Parameter latents;  // [num_latents, width]
  std::vector<ResamplerLayer> layers;
  LayerNorm norm;

  struct Saved {
    ResamplerLayer::Items items;
    std::vector<ResamplerLayer::Saved> layers;
    LayerNorm::Saved norm;
  };

  /// -> y [items · latents, width]
  Tensor forward(const Runtime& rt, const kernels::CumulativeLengths& media_begin,
                 const Tensor& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

Resampler make_resampler(const ParameterMaker& make, const ModelConfig& config);

}  // namespace lynceus::model
