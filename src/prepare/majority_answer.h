// What always giving the most frequent answer would reach: the number that an accuracy has to beat.
// An answer is a sample's last assistant turn. Used by `prepare` and by evaluation.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "io/dataset/shard.h"

namespace lynceus::prepare {

class AnswerCounts {
 public:
  void add(const std::string& answer) { ++counts_[answer]; }
  /// Every sample of a shard that has an answer.
  void add(const io::ShardReader& shard);

  int64_t total() const;
  size_t distinct() const { return counts_.size(); }
  /// The most frequent answer, of several the first in the alphabet; empty when there is none.
  std::string majority() const;
  /// Share of the majority's answer, 0 to 1; 0 when there is none.
  double baseline() const;
  const std::map<std::string, int64_t>& counts() const { return counts_; }

 private:
  std::map<std::string, int64_t> counts_;
};

}  // namespace lynceus::prepare
