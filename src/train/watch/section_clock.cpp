#include "train/watch/section_clock.h"

#include <algorithm>
#include <limits>

namespace lynceus::train {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::array<const parallel::Communicator*, 5> groups_of(const parallel::Grid& grid) {
  return {grid.world.get(), grid.replica.get(), grid.tensor.get(), grid.pipeline.get(),
          grid.data.get()};
}

double seconds_waited(const parallel::Grid& grid) {
  double seconds = 0;
  for (const parallel::Communicator* group : groups_of(grid)) seconds += group->seconds_waited();
  return seconds;
}

}  // namespace

SectionClock::SectionClock(const parallel::Grid& grid, const WatchConfig& config)
    : grid_(grid), begin_(parallel::steady_nanoseconds()) {
  for (int i = 0; i < kSections; ++i)
    given_[static_cast<size_t>(i)] = config.given(static_cast<Section>(i));
  waited_ = seconds_waited(grid_);
}

void SectionClock::enter(Section section, int64_t step) {
  const Section before = section_.load(kRelaxed);
  const int64_t now = parallel::steady_nanoseconds();
  const double seconds = 1e-9 * static_cast<double>(now - begin_.load(kRelaxed));
  const double waited = seconds_waited(grid_);
  times_.total += seconds;
  times_.busy[static_cast<size_t>(before)] += std::max(0.0, seconds - (waited - waited_));
  waited_ = waited;
  std::atomic<double>& longest = longest_[static_cast<size_t>(before)];
  longest.store(std::max(longest.load(kRelaxed), seconds), kRelaxed);
  begin_.store(now, kRelaxed);
  step_.store(step, kRelaxed);
  section_.store(section, kRelaxed);
}

SectionTimes SectionClock::take_times() {
  const SectionTimes times = times_;
  times_ = {};
  return times;
}

double SectionClock::limit(Section section) const {
  const auto at = static_cast<size_t>(section);
  return given_[at].value_or(automatic_limit(section, longest_[at].load(kRelaxed)));
}

SectionClock::Stall SectionClock::stall() const {
  Stall stall;
  stall.section = section_.load(kRelaxed);
  stall.step = step_.load(kRelaxed);
  int64_t progress = std::max(begin_.load(kRelaxed), continued_.load(kRelaxed));
  for (const parallel::Communicator* group : groups_of(grid_))
    progress = std::max(progress, group->recent_calls().last_change());
  stall.seconds = 1e-9 * static_cast<double>(parallel::steady_nanoseconds() - progress);
  stall.limit = limit(stall.section);
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kSections; ++i)
    if (const double seconds = limit(static_cast<Section>(i)); seconds > 0)
      least = std::min(least, seconds);
  stall.note = least / 2;
  return stall;
}

void SectionClock::continued() { continued_.store(parallel::steady_nanoseconds(), kRelaxed); }

}  // namespace lynceus::train
