// LlmStage: the part of the LLM that one pipeline stage runs: consecutive decoder layers, before
// them the embedding on the first stage, after them the head on the last.
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
  kLayer  ///< keep each layer's input and run the layer again in backward
};

struct LlmStage {
  double rope_theta = 10000;
  io::RopeScaling rope_scaling;
  int64_t head_dim = 0;
  bool visual_wants_gradient = true;  // false: the bridge is frozen
  std::optional<Embedding> embedding;
  std::vector<DecoderLayer> layers;
  std::optional<LmHead> head;
  bool ties_embedding = false;  // tie_word_embeddings

  struct Saved {
    std::vector<DecoderLayer::Saved> layers;
    std::vector<Tensor> layer_inputs;  // [tokens, hidden] each; instead of `layers` with kLayer
    LmHead::Saved head;
  };
  struct Output {
    Tensor h;           // [tokens, hidden]: the last decoder layer's output
    LmHead::Loss loss;  // on the last stage
  };

  /// Fills the rotary tables of a micro-batch (cos, sin); to be called before its forward.
  void prepare(const Runtime& rt, PackedBatch* batch) const;
  /// input: on the first stage the visual tokens [visual tokens, hidden] (undefined: none), on the
  /// others the previous stage's h [tokens, hidden].
  Output forward(const Runtime& rt, const PackedBatch& batch, const Tensor& input,
                 Recompute recompute, Saved* saved) const;
  /// The same without a head: h [tokens, hidden]. The layers write keys and values of the rows to
  /// their caches, and use those that batch.cache names.
  Tensor forward_cached(const Runtime& rt, const PackedBatch& batch, const Tensor& input,
                        const std::vector<LayerCache>& caches) const;
  /// dy: the gradient of h, from the next stage; undefined on the last. dx: the gradient of
  /// `input`. What a layer saved is freed after its backward; then `after_layer` is called with its
  /// index in `layers`.
  void backward(const Runtime& rt, const PackedBatch& batch, Recompute recompute, Saved* saved,
                const Tensor& dy, Tensor* dx,
                const std::function<void(size_t)>& after_layer = {}) const;
  /// Whether anything before this stage needs the gradient of its input.
  bool input_wants_gradient(const PackedBatch& batch) const {
    return !embedding || (visual_wants_gradient && batch.visual_tokens() > 0);
  }
  /// This rank's columns of the logits of every row, [tokens, vocab_local]; last stage only.
  Tensor logits(const Runtime& rt, const Tensor& h) const { return head->logits(rt, h); }

  int64_t hidden_size() const { return layers.front().input_norm.weight.value.dim(0); }
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
  /// The embedding as this stage holds it for a head of another stage, or as the copy that this
  /// stage's head is (tie_word_embeddings over several stages); null: nothing is shared between
  /// stages. The sum of the gradients of both is the gradient of each.
  Parameter* shared_between_stages();
  /// To be called after the embedding's tensors were replaced: the head uses the new ones.
  void share_embedding();
};

/// The stage of this rank, with decoder layers [first, last) of the model.
LlmStage make_stage(const Runtime& rt, const ModelConfig& config, int64_t first, int64_t last,
                    double label_smoothing);

}  // namespace lynceus::model
