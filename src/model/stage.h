// LlmStage: the part of the LLM that one pipeline stage runs: contiguous decoder layers, the
// embedding in front on the first stage, the head behind on the last.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "model/decoder_layer.h"
#include "model/embedding.h"
#include "model/lm_head.h"

namespace lynceus::model {

enum class Recompute {
  kNone,  ///< keep what backward needs
  kLayer  ///< keep each layer's input, run the layer again in backward
};

struct LlmStage {
  int64_t first_layer = 0;
  double rope_theta = 10000;
  int64_t head_dim = 0;
  bool visual_wants_gradient = true;  // false: what makes the visual tokens is frozen
  std::optional<Embedding> embedding;
  std::vector<DecoderLayer> layers;
  std::optional<LmHead> head;

  struct Saved {
    std::vector<DecoderLayer::Saved> layers;
    std::vector<Tensor> layer_inputs;  // with Recompute::kLayer instead of `layers`
    LmHead::Saved head;
    bool visual = false;
  };
  struct Output {
    Tensor h;           // [tokens, hidden]: for the next stage, or what the head read
    LmHead::Loss loss;  // on the last stage
  };

  /// Fills the rotary tables of a micro-batch; once before the first forward.
  void prepare(const Runtime& rt, PackedBatch* batch) const;
  /// input: visual tokens [visual, hidden] on the first stage (undefined: none), the previous
  /// stage's h elsewhere. saved null: no backward will follow.
  Output forward(const Runtime& rt, const PackedBatch& batch, const Tensor& input,
                 Recompute recompute, Saved* saved) const;
  /// dh: from the next stage; undefined on the last. -> the gradient of `input`; undefined where
  /// nobody below wants it. `behind_layer` is called behind the backward of each layer.
  Tensor backward(const Runtime& rt, const PackedBatch& batch, Recompute recompute, Saved* saved,
                  const Tensor& dh, const std::function<void(size_t)>& behind_layer = {}) const;
  /// The logits of every row (this rank's columns), last stage only.
  Tensor logits(const Runtime& rt, const Tensor& h) const { return head->logits(rt, h); }

  int64_t hidden_size() const { return layers.front().input_norm.weight.value.dim(0); }
  void visit_parameters(const ParameterVisitor& visit);
};

/// Decoder layers [first, last) of the model.
LlmStage make_stage(const Runtime& rt, const ModelConfig& config, int64_t first, int64_t last,
                    double label_smoothing);

}  // namespace lynceus::model
