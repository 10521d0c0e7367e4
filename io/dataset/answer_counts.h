// The majority-answer baseline: the accuracy of always giving the most frequent answer.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/dataset/shard.h"

namespace lynceus::io {

class AnswerCounts {
 public:
  void add(const std::string& answer) { ++counts_[answer]; }
  /// Adds the last assistant turn of every sample that has one.
  void add(const ShardReader& shard);

  int64_t total() const;
  size_t distinct() const { return counts_.size(); }
  /// The most frequent answer, of equally frequent ones the first in byte order; empty if none.
  std::string majority() const;
  /// Share of the majority answer, 0 to 1; 0 if there are no answers.
  double baseline() const;
  const std::map<std::string, int64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, int64_t> counts_;
};

}  // namespace lynceus::io
