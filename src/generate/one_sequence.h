// Greedy decoding and sampling: one sequence, which ends with EOS or at max_new_tokens. Processors,
// temperature, top_k and top_p act on the raw logits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "generate/largest.h"
#include "generate/processors.h"
#include "generate/strategy.h"

namespace lynceus::generate {

class OneSequence : public Strategy {
 public:
  OneSequence(const Settings& settings, const Search::Vocabulary& vocabulary, Draw draw);

  std::span<const Search::Next> next() const override { return next_; }
  void advance(std::span<const float> logits) override;
  bool done() const override { return done_; }
  /// Before the first advance(): continues from `tokens`, new ones without EOS, fewer than
  /// max_new_tokens.
  void start_after(std::span<const int32_t> tokens);
  /// What may be drawn next, with its probabilities. Empty if no token may follow.
  std::span<const Choice> choices(std::span<const float> logits);
  void append_answers(std::vector<Search::Answer>* answers) const override;

 private:
  /// Sets scores_: the processed logits.
  void score(std::span<const float> logits);
  /// Nothing if no token may follow.
  std::optional<int32_t> best(std::span<const float> logits);
  std::optional<int32_t> drawn(std::span<const float> logits);

  Settings settings_;
  Search::Vocabulary vocabulary_;
  Draw draw_;
  Processors processors_;
  TokenFilter filter_;

  std::vector<int32_t> history_;  // BOS if it counts, then the new tokens
  std::vector<Search::Next> next_;
  int64_t generated_ = 0;
  double sum_ = 0;
  bool ended_ = false, done_ = false;

  std::vector<float> scores_;  // [size]
  Largest largest_;
  std::vector<Choice> choices_;
  std::vector<int32_t> drawn_;
};

}  // namespace lynceus::generate
