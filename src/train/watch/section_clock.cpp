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

double seconds_since(int64_t nanoseconds) {
  return 1e-9 * static_cast<double>(parallel::steady_nanoseconds() - nanoseconds);
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

void SectionClock::saving_began(int64_t step) {
  saving_step_.store(step, kRelaxed);
  saving_begin_.store(parallel::steady_nanoseconds(), kRelaxed);
}

void SectionClock::saving_took(double seconds) {
  std::atomic<double>& longest = longest_[static_cast<size_t>(Section::kCheckpoint)];
  longest.store(std::max(longest.load(kRelaxed), seconds), kRelaxed);
}

SectionClock::Stall SectionClock::stall_of_steps() const {
  Stall stall;
  stall.section = section_.load(kRelaxed);
  stall.step = step_.load(kRelaxed);
  int64_t progress = std::max(begin_.load(kRelaxed), continued_.load(kRelaxed));
  for (const parallel::Communicator* group : groups_of(grid_))
    progress = std::max(progress, group->recent_calls().last_change());
  if (!is_saving()) progress = std::max(progress, grid_.saving->recent_calls().last_change());
  stall.seconds = seconds_since(progress);
  stall.limit = limit(stall.section);
  return stall;
}

std::optional<SectionClock::Stall> SectionClock::stall_of_saving() const {
  const int64_t begin = saving_begin_.load(kRelaxed);
  if (begin == 0) return std::nullopt;
  Stall stall;
  stall.is_saving = true;
  stall.section = Section::kCheckpoint;
  stall.step = saving_step_.load(kRelaxed);
  stall.seconds = seconds_since(
      std::max({begin, continued_.load(kRelaxed), grid_.saving->recent_calls().last_change()}));
  stall.limit = limit(stall.section);
  return stall;
}

SectionClock::Stall SectionClock::stall() const {
  Stall stall = stall_of_steps();
  if (const auto saving = stall_of_saving()) {
    const bool waits_for_it = stall.section == Section::kCheckpoint;
    const bool is_worse =
        saving->limit > 0 &&
        (stall.limit == 0 || saving->seconds / saving->limit > stall.seconds / stall.limit);
    if (waits_for_it || is_worse) stall = *saving;
  }
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kSections; ++i)
    if (const double seconds = limit(static_cast<Section>(i)); seconds > 0)
      least = std::min(least, seconds);
  stall.note = least / 2;
  return stall;
}

void SectionClock::continued() { continued_.store(parallel::steady_nanoseconds(), kRelaxed); }

}  // namespace lynceus::train
