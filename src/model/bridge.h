// The bridge: from patch features to the visual tokens before a sample's text. Three kinds: the
// Perceiver resampler, and, row by row, an affine map or an MLP (Linear, LayerNorm, GELU, Linear).
// Replicated on every rank; its gradients are summed over the world.
//
// media: patch features [rows, vision width], item by item, rows = Σ frames · tokens an image.
#pragma once

#include <optional>
#include <variant>

#include "model/resampler.h"

namespace lynceus::model {

/// y = mlp(ln_vision(x)); ln_vision where configured. One visual token for each row.
struct AffineBridge {
  std::optional<LayerNorm> ln_vision;
  Linear mlp;  // [width, vision width]

  struct Saved {
    LayerNorm::Saved ln_vision;
    Linear::Saved mlp;
  };

  /// media [rows, vision width] -> y [rows, width]
  Tensor forward(const Runtime& rt, const Tensor& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

/// y = out(gelu(norm(in(ln_vision(x))))); ln_vision where configured. One visual token for each
/// row.
struct MlpBridge {
  std::optional<LayerNorm> ln_vision;
  Linear in;       // [bridge width, vision width]
  LayerNorm norm;  // [bridge width]
  Linear out;      // [width, bridge width]

  struct Saved {
    LayerNorm::Saved ln_vision, norm;
    Linear::Saved in, out;
    Tensor normed;  // [rows, bridge width], before GELU
  };

  /// media [rows, vision width] -> y [rows, width]
  Tensor forward(const Runtime& rt, const Tensor& media, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

struct Bridge {
  std::variant<Resampler, AffineBridge, MlpBridge> kind;
  /// [1, num_frames, 1, vision width]: row f is added to every patch feature of frame f of a video.
  std::optional<Parameter> frame_position;

  /// The patch features of several media items, packed.
  struct Media {
    Tensor features;                   // [rows, vision width]; forward adds frame positions to it
    kernels::CumulativeLengths begin;  // rows where items begin
    std::vector<int64_t> frames;       // of each item; 1 for an image
    std::vector<uint8_t> is_video;     // of each item: whether frame positions are added
  };
  struct Saved {
    std::variant<std::monostate, Resampler::Saved, AffineBridge::Saved, MlpBridge::Saved> kind;
    kernels::CumulativeLengths media_begin;
    std::vector<int64_t> frames;
    std::vector<uint8_t> is_video;
  };

  /// -> visual tokens [Σ visual tokens, width], item by item.
  Tensor forward(const Runtime& rt, const Media& media, Saved* saved) const;
  /// dmedia: the gradient of media.features [rows, vision width].
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dmedia) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

Bridge make_bridge(const Runtime& rt, const ModelConfig& config);

}  // namespace lynceus::model
