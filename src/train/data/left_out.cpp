#include "train/data/left_out.h"

#include <algorithm>

namespace lynceus::train {

LeftOutSamples::LeftOutSamples(const std::vector<io::LeftOutStep>& steps) {
  for (const io::LeftOutStep& step : steps)
    if (step.rolled_back) ranges_.emplace_back(step.first_sample, step.end_sample);
  std::sort(ranges_.begin(), ranges_.end());
  size_t kept = 0;  // ranges that touch become one
  for (const auto& [begin, end] : ranges_)
    if (kept > 0 && begin <= ranges_[kept - 1].second)
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, end);
    else
      ranges_[kept++] = {begin, end};
  ranges_.resize(kept);
}

int64_t LeftOutSamples::next_used(int64_t index) const {
  for (const auto& [begin, end] : ranges_)
    if (index >= begin && index < end) return end;  // no range touches the next one
  return index;
}

int64_t LeftOutSamples::index_of(int64_t seen) const {
  int64_t index = seen;
  for (const auto& [begin, end] : ranges_) {
    if (index < begin) break;
    index += end - begin;
  }
  return index;
}

std::pair<int64_t, int64_t> samples_of_step(const LeftOutSamples& left_out, int64_t seen,
                                            int64_t count) {
  return {left_out.index_of(seen), left_out.index_of(seen + count - 1) + 1};
}

}  // namespace lynceus::train
