// The majority-answer baseline: the accuracy of always giving the most frequent answer. The answer
// of a sample is its last assistant turn.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/dataset/shard.h"

namespace lynceus::prepare {

class AnswerCounts {
 public:
  void add(const std::string& answer) { ++counts_[answer]; }
  /// Adds every sample of a shard that has an answer.
  void add(const io::ShardReader& shard);

  int64_t total() const;
  size_t distinct() const { return counts_.size(); }
  /// The most frequent answer; of equally frequent ones the first in byte order. Empty if none.
  std::string majority() const;
  /// Share of the majority answer, 0 to 1; 0 if there are no answers.
  double baseline() const;
  const std::map<std::string, int64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, int64_t> counts_;
};

}  // namespace lynceus::prepare
