// A way to decode that owns some of the live sequences of a row: one sequence, or the beams of one
// search. Search gives each strategy its rows of the logits.
#pragma once

#include <span>
#include <vector>

#include "generate/search.h"

namespace lynceus::generate {

class Strategy {
 public:
  virtual ~Strategy() = default;

  /// As Search::next(); parents are indices among the live sequences of this strategy.
  virtual std::span<const Search::Next> next() const = 0;
  /// logits [max(1, next().size()), vocabulary]: one row before the first advance().
  virtual void advance(std::span<const float> logits) = 0;
  virtual bool done() const = 0;
  /// Best first. When done.
  virtual void append_answers(std::vector<Search::Answer>* answers) const = 0;
};

/// log_sum_exp of the logits of one sequence. NumericError if it is not finite.
double log_sum_of(std::span<const float> logits);

/// sum / length^length_penalty.
double score_of(double sum, int64_t length, double length_penalty);

}  // namespace lynceus::generate
