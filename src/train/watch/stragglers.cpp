#include "train/watch/stragglers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace lynceus::train {
namespace {

// Less than this share of a step, or less than this time, slows nobody down.
constexpr double kLeastShare = 0.1;
constexpr double kLeastSeconds = 0.005;
constexpr const char* kNames[] = {"data", "step"};

/// The lower one of an even number: of two ranks the faster is the measure.
double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Value>
double median_of(const std::vector<RankTimes>& times, const Value& value) {
  std::vector<double> values;
  for (const RankTimes& one : times) values.push_back(value(one));
  return lower_median(std::move(values));
}

std::array<double, 2> parts(const RankTimes& times) { return {times.data, times.step}; }

}  // namespace

StragglerTable::StragglerTable(const parallel::GridShape& shape, double factor,
                               std::vector<std::string> places)
    : shape_(shape),
      factor_(factor),
      places_(std::move(places)),
      ranks_(static_cast<size_t>(shape.world())) {}

std::array<double, 2> StragglerTable::expected(int rank,
                                               const std::vector<RankTimes>& times) const {
  const int peers = shape_.tensor * shape_.data;
  if (peers == 1) return ranks_[static_cast<size_t>(rank)].fastest;
  const auto first = times.begin() + static_cast<std::ptrdiff_t>(shape_.stage(rank)) * peers;
  const std::vector<RankTimes> stage(first, first + peers);
  return {median_of(stage, [](const RankTimes& x) { return x.data; }),
          median_of(stage, [](const RankTimes& x) { return x.step; })};
}

std::vector<std::string> StragglerTable::add(int64_t step, const std::vector<RankTimes>& times) {
  std::vector<std::string> lines;
  const double total = median_of(times, [](const RankTimes& x) { return x.total; });
  const double least = std::max(kLeastSeconds, kLeastShare * total);
  for (size_t r = 0; r < ranks_.size(); ++r) {
    Rank& rank = ranks_[r];
    const std::array<double, 2> mine = parts(times[r]);
    const std::array<double, 2> others = expected(static_cast<int>(r), times);
    const size_t worst = mine[0] - others[0] > mine[1] - others[1] ? 0 : 1;
    const bool is_known = others[0] + others[1] > 0;
    const bool is_slow =
        is_known && mine[worst] > factor_ * others[worst] && mine[worst] - others[worst] > least;
    rank.slow = is_slow ? rank.slow + 1 : 0;
    rank.normal = is_slow ? 0 : rank.normal + 1;
    for (size_t i = 0; i < mine.size(); ++i)
      rank.fastest[i] = rank.fastest[i] == 0 ? mine[i] : std::min(rank.fastest[i], mine[i]);
    if (!rank.named && rank.slow >= kWindows) {
      rank.named = true;
      lines.push_back(fmt::format(
          "rank {} ({}) is slow: section {} takes {:.0f} ms a step, {:.1f} times the {:.0f} ms of "
          "{}, in steps {} to {}",
          r, places_[r], kNames[worst], 1e3 * mine[worst],
          mine[worst] / std::max(others[worst], 1e-3), 1e3 * others[worst],
          shape_.tensor * shape_.data > 1 ? "the median rank of its stage"
                                          : "its own fastest steps",
          step - kWindows * kWindow + 1, step));
    } else if (rank.named && rank.normal >= kWindows) {
      rank.named = false;
      lines.push_back(
          fmt::format("rank {} ({}) is no longer slow after step {}", r, places_[r], step));
    }
  }
  return lines;
}

Stragglers::Stragglers(const parallel::Grid& grid, double factor,
                       const std::vector<std::string>& places)
    : grid_(grid), factor_(factor), table_(grid.shape, factor, places) {}

void Stragglers::add_step(int64_t step, const SectionTimes& times) {
  if (factor_ == 0 || grid_.world->size() == 1) return;
  const auto busy = [&](Section section) { return times.busy[static_cast<size_t>(section)]; };
  steps_.push_back({busy(Section::kData), busy(Section::kStep), times.total});
  if (steps_.size() < StragglerTable::kWindow) return;
  double mine[] = {median_of(steps_, [](const RankTimes& x) { return x.data; }),
                   median_of(steps_, [](const RankTimes& x) { return x.step; }),
                   median_of(steps_, [](const RankTimes& x) { return x.total; })};
  steps_.clear();
  const int64_t ranks = grid_.world->size();
  std::vector<double> all(static_cast<size_t>(3 * ranks));
  grid_.world->all_gather(Tensor::borrow(mine, {3}, DType::kF64),
                          Tensor::borrow(all.data(), {3 * ranks}, DType::kF64));
  if (grid_.world->rank() != 0) return;
  std::vector<RankTimes> gathered;
  for (size_t i = 0; i < all.size(); i += 3) gathered.push_back({all[i], all[i + 1], all[i + 2]});
  for (const std::string& line : table_.add(step, gathered)) log::warn("{}", line);
}

}  // namespace lynceus::train
