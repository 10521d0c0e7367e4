// The `count` largest values of rows of scores: one pass, which looks closer only at blocks that
// have one of them. Beam search takes its candidates from it, top_k its threshold.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lynceus::generate {

/// A continuation of the sequence `beam` by `token`.
struct Candidate {
  double value;
  int32_t beam;
  int32_t token;
};

/// Larger values first; of equal ones the lower beam, then the lower token.
bool comes_before(const Candidate& a, const Candidate& b);

class Largest {
 public:
  /// Forgets everything. count > 0.
  void reset(int64_t count);
  /// Adds base + scores[token] for each token. −inf is no candidate. Beams come in ascending order.
  void scan(std::span<const float> scores, double base, int32_t beam);
  bool full() const { return static_cast<int64_t>(heap_.size()) == count_; }
  /// The least of them; not empty.
  const Candidate& least() const { return heap_.front(); }
  /// Moves them to `ranked`, in order.
  void take(std::vector<Candidate>* ranked);

 private:
  void add(const Candidate& candidate);

  int64_t count_ = 0;
  std::vector<Candidate> heap_;  // its front is the least
};

}  // namespace lynceus::generate
