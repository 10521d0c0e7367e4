// Answers that are given, not decoded: the model's log-probability of each, its end token included.
// They are the live sequences of one row, so its prompt is computed once for all of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/strategy.h"

namespace lynceus::generate {

class GivenAnswers : public Strategy {
 public:
  /// `answers`: at least one, each of at least one token of the vocabulary.
  GivenAnswers(std::vector<std::vector<int32_t>> answers, const Search::Vocabulary& vocabulary);

  std::span<const Search::Next> next() const override { return next_; }
  void advance(std::span<const float> logits) override;
  bool done() const override { return started_ && next_.empty(); }
  /// All of them, in the order in which they were given. `score`: sum / length, the mean
  /// log-probability of a token.
  void append_answers(std::vector<Search::Answer>* answers) const override;

 private:
  std::vector<std::vector<int32_t>> answers_;
  Search::Vocabulary vocabulary_;
  std::vector<double> sums_;        // [answers]
  std::vector<size_t> live_;        // answers that have tokens left
  std::vector<Search::Next> next_;  // of live_
  size_t fed_ = 0;                  // tokens whose log-probabilities are in the sums
  bool started_ = false;
};

}  // namespace lynceus::generate
