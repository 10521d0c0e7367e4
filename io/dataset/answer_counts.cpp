#include "io/dataset/answer_counts.h"

#include <algorithm>
#include <vector>

namespace lynceus::io {

void AnswerCounts::add(const ShardReader& shard) {
  for (int64_t i = 0; i < shard.size(); ++i) {
    const std::vector<Turn> turns = shard.turns(i);
    const auto answer = std::find_if(turns.rbegin(), turns.rend(), [](const Turn& turn) {
      return turn.role == TurnRole::kAssistant;
    });
    if (answer != turns.rend()) add(answer->text);
  }
}

int64_t AnswerCounts::total() const {
  int64_t sum = 0;
  for (const auto& [answer, count] : counts_) sum += count;
  return sum;
}

std::string AnswerCounts::majority() const {
  std::string best;
  int64_t most = 0;
  for (const auto& [answer, count] : counts_) {
    if (count <= most) continue;
    best = answer;
    most = count;
  }
  return best;
}

double AnswerCounts::baseline() const {
  if (counts_.empty()) return 0;
  return static_cast<double>(counts_.at(majority())) / static_cast<double>(total());
}

}  // namespace lynceus::io
