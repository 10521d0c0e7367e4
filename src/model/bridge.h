// The bridge: from the vision tokens of a sample to what stands in front of its text. Three kinds:
// the Perceiver resampler, one affine map, or an MLP (Linear, LayerNorm, GELU, Linear), the last
// two token by token. Replicated on every rank; its gradients are summed over the whole world.
#pragma once

#include <optional>
#include <variant>

#include "model/resampler.h"

namespace lynceus::model {

/// y = affine(ln_vision(x)), ln_vision where configured.
struct AffineBridge {
  std::optional<LayerNorm> ln_vision;
  Linear mlp;  // [width, vision width]

  struct Saved {
    LayerNorm::Saved ln_vision;
    Linear::Saved mlp;
  };

  Tensor forward(const Runtime& rt, const Tensor& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                const Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
};

/// y = out(gelu(norm(in(ln_vision(x)))))
struct MlpBridge {
  std::optional<LayerNorm> ln_vision;
  Linear in;       // [bridge width, vision width]
  LayerNorm norm;  // [bridge width]
  Linear out;      // [width, bridge width]

  struct Saved {
    LayerNorm::Saved ln_vision, norm;
    Linear::Saved in, out;
    Tensor normed;  // [vision tokens, bridge width], before GELU
  };

  Tensor forward(const Runtime& rt, const Tensor& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                const Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
};

struct Bridge {
  std::variant<Resampler, AffineBridge, MlpBridge> kind;
  /// [1, num_frames, 1, vision width]: added to every token of frame f of a video.
  std::optional<Parameter> frame_position;

  /// The vision features of several samples' media, packed.
  struct Media {
    Tensor features;                   // [Σ vision tokens, vision width]; changed in place
    kernels::CumulativeLengths begin;  // where items begin
    std::vector<int64_t> frames;       // pictures of each item
    std::vector<uint8_t> is_video;     // whether frames get their position
  };
  struct Saved {
    std::variant<std::monostate, Resampler::Saved, AffineBridge::Saved, MlpBridge::Saved> kind;
    kernels::CumulativeLengths media_begin;
    std::vector<int64_t> frames;
    std::vector<uint8_t> is_video;
  };

  /// -> [Σ visual tokens, width], item by item.
  Tensor forward(const Runtime& rt, const Media& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy) const;
  void visit_parameters(const ParameterVisitor& visit);
};

Bridge make_bridge(const Runtime& rt, const ModelConfig& config);

}  // namespace lynceus::model
