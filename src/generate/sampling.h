// What sampling draws: which tokens of a row of scores may be drawn, their probabilities, and the
// draws, which are a pure function of seed, row and step.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "generate/largest.h"
#include "generate/settings.h"

namespace lynceus::generate {

/// A token that may be drawn as the continuation of the sequence `beam`.
struct Choice {
  int32_t beam;  ///< index among the sequences of one search; all are equal before the first step
  int32_t token;
  double value;        ///< its score after the temperature; with beams the running sum that follows
  double probability;  ///< of being drawn first: softmax of the values of all choices
};

/// Gives the indices of `count` different choices of the step (counted from 0) in the order in
/// which they are drawn; fewer if there are fewer. Reference cases replace random draws by given
/// ones.
using Draw = std::function<void(int64_t step, std::span<const Choice> choices, int64_t count,
                                std::vector<int32_t>* drawn)>;

/// Random draws without replacement, a pure function of its arguments, the step and the choices.
/// `sequence`: which of num_return_sequences.
Draw random_draw(uint64_t seed, uint64_t row, uint64_t sequence);

/// Sets the probabilities of the choices.
void set_probabilities(std::span<Choice> choices);

/// Which tokens top_k and top_p keep.
class TokenFilter {
 public:
  /// `least`: tokens that are kept at least.
  TokenFilter(const Decoding& decoding, int64_t least) : decoding_(decoding), least_(least) {}

  /// The kept tokens in ascending order. scores [size]: after the processors, before the
  /// temperature. First top_k: what is at least the k-th largest score. Then top_p: of the
  /// probabilities of the rest in ascending order, those whose sum up to and with them is at most
  /// 1 − top_p are cut (of equal ones the lower token first). −inf is never kept.
  std::span<const int32_t> keep(std::span<const float> scores);

 private:
  void keep_top_k(std::span<const float> scores);
  void keep_top_p(std::span<const float> scores);

  struct Weight {
    float weight;  // in proportion to the probability
    int32_t token;
  };

  Decoding decoding_;
  int64_t least_;
  Largest largest_;
  std::vector<int32_t> kept_;
  std::vector<float> kept_scores_, weights_;
  std::vector<Weight> order_;
};

}  // namespace lynceus::generate
