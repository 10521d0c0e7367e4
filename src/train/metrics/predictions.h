// What the model answers to held-out samples, next to the references: one entry for each answer of
// a sample. There is no second forward pass: the answer is read from the logits at the places of
// the reference, each given the reference before it. So it is the answer of greedy decoding up to
// its first token that differs from the reference, and complete where it is right.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/text/prompt.h"
#include "model/lm_head.h"
#include "parallel/runtime.h"

namespace lynceus::train {

struct Prediction {
  std::string set;       ///< NAME of data.validation
  std::string task;      ///< of the dataset shard
  std::string key;       ///< of the sample
  int64_t turn = 1;      ///< number of the answer in its conversation
  std::string question;  ///< the user's last turn before it, with its prompt; empty: none
  std::string reference;
  std::string answer;
  bool is_right = false;
  /// Natural logarithm, of the reference and its end token; of all tokens but the first where
  /// nothing is before the text, neither media nor BOS.
  double log_probability = 0;
};
/// The same on all ranks; called on world rank 0, in the order of the samples.
using PredictionSink = std::function<void(const Prediction&)>;

/// One JSON object: set, class, key, turn, question, reference, answer, right, log_probability
/// (null if it is not finite).
std::string to_json(const Prediction& prediction);

/// What the model chose for one scored token.
struct ScoredToken {
  int32_t label = 0;
  int32_t chosen = 0;          ///< of the largest logit; of equal ones the first
  double log_probability = 0;  ///< of the label
};

/// The scored tokens of a global batch, collected from the ranks that computed them.
class ScoredTokens {
 public:
  explicit ScoredTokens(const Runtime& rt) : rt_(rt) {}

  /// On the last stage, for each micro-batch. Collective over grid.tensor. h [tokens, hidden]: the
  /// input of the head.
  void add(const model::LmHead& head, const model::PackedBatch& batch, const Tensor& h);
  /// Collective over the world: by sample of the batch, in the order of the text.
  std::vector<std::vector<ScoredToken>> agreed(int64_t samples) const;

 private:
  const Runtime& rt_;
  std::string mine_;  // bytes of the entries
};

/// The answers of one sample. `turns` have the prompt; `tokens` are their tokens, and `scored` what
/// the model chose for those that are scored. An answer that data.max_tokens has cut is compared up
/// to the cut; one that is cut off completely is left out.
std::vector<Prediction> predictions_of(const io::Tokenizer& tokenizer,
                                       const std::vector<io::Turn>& turns,
                                       const io::TokenizedSample& tokens,
                                       const std::vector<ScoredToken>& scored);

}  // namespace lynceus::train
