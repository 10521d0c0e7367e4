#include "train/save/save_patience.h"

#include <algorithm>
#include <utility>

namespace lynceus::train {
namespace {

constexpr double kLongestPause = 15;  // seconds
constexpr double kEndSeconds = 3;     // for what follows the save

}  // namespace

std::optional<double> SavePatience::next_pause(std::optional<double> seconds_left,
                                               double save_seconds, Clock::time_point now) {
  const double spent = std::chrono::duration<double>(now - begin_).count();
  if (spent + pause_ > seconds_) return std::nullopt;
  if (seconds_left && *seconds_left < pause_ + save_seconds + kEndSeconds) return std::nullopt;
  return std::exchange(pause_, std::min(2 * pause_, kLongestPause));
}

}  // namespace lynceus::train
