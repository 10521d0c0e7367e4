// A model of random numbers: the logits of the next token follow from the last two tokens and a
// seed. tests/oracle/make_searches.py has the same model.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "generate/search.h"

namespace lynceus::generate {

struct TableModel {
  int64_t size = 12;
  uint64_t seed = 1;
  int32_t eos = 2;
  double eos_bonus = 0;  ///< of the logit of token 2

  /// [size]; in [−4, 4), a multiple of 2^-20.
  std::vector<float> logits(const std::vector<int32_t>& tokens) const {
    const auto extent = static_cast<uint64_t>(size);
    const size_t count = tokens.size();
    const uint64_t last = count > 0 ? static_cast<uint64_t>(tokens[count - 1]) : extent;
    const uint64_t before = count > 1 ? static_cast<uint64_t>(tokens[count - 2]) : extent;
    const CounterRandom random(seed, "table");
    std::vector<float> logits;
    for (uint64_t token = 0; token < extent; ++token) {
      const uint64_t bits = random.bits((before * (extent + 1) + last) * extent + token);
      logits.push_back((static_cast<float>(bits >> 41) - 0x1.0p22f) * 0x1.0p-20f);
    }
    logits[2] += static_cast<float>(eos_bonus);
    return logits;
  }
  Search::Vocabulary vocabulary() const { return {size, 1, eos}; }
};

/// The tokens of the live sequences, by what Search says of them.
class LiveSequences {
 public:
  const std::vector<std::vector<int32_t>>& all() const { return sequences_; }
  void follow(const Search& search) {
    std::vector<std::vector<int32_t>> next;
    for (const auto& [token, parent] : search.next()) {
      next.push_back(sequences_.at(static_cast<size_t>(parent)));
      next.back().push_back(token);
    }
    sequences_ = next;
  }
  std::vector<float> logits(const TableModel& model) const {
    std::vector<float> logits;
    for (const std::vector<int32_t>& tokens : sequences_) {
      const std::vector<float> row = model.logits(tokens);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    return logits;
  }

 private:
  std::vector<std::vector<int32_t>> sequences_{{}};
};

/// `steps`: number of calls of advance().
inline std::vector<Search::Answer> decode(Search& search, const TableModel& model,
                                          int64_t* steps = nullptr) {
  LiveSequences live;
  int64_t count = 0;
  for (; !search.done(); ++count) {
    search.advance(live.logits(model));
    live.follow(search);
  }
  if (steps != nullptr) *steps = count;
  return search.answers();
}

}  // namespace lynceus::generate
