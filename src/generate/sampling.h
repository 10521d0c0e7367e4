// What sampling draws: which tokens of a row of scores may be drawn, their probabilities, and the
// draws, which are a pure function of seed, row and step.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lynceus::generate {

/// A token that may be drawn as the continuation of the sequence `beam`.
struct Choice {
  int32_t beam;  ///< index among the sequences of one search; all equal before the first step
  int32_t token;
  double value;        ///< its log-probability after the processors and the temperature; beams: the
                       ///< running sum
  double probability;  ///< of being drawn first; all choices add up to 1
};

/// Gives the indices of `count` different choices of the step (counted from 0) in the order in
/// which they are drawn; fewer if there are fewer. Reference cases replace random draws by given
/// ones.
using Draw = std::function<void(int64_t step, std::span<const Choice> choices, int64_t count,
                                std::vector<int32_t>* drawn)>;

}  // namespace lynceus::generate
