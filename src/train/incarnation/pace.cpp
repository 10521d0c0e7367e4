#include "train/incarnation/pace.h"

#include <algorithm>

namespace lynceus::train {
namespace {

constexpr size_t kRecent = 20;
constexpr size_t kEnough = 3;                      // steps that replace the first one
constexpr double kSlowDisk = 200.0 * 1024 * 1024;  // bytes/s, below any file system of a cluster
constexpr double kSaveFactor = 1.5;                // saves on shared file systems differ
constexpr double kEndSeconds = 3;

}  // namespace

void Pace::step_took(double seconds) {
  const std::lock_guard lock(mutex_);
  if (++steps_ == 1) {
    first_step_ = seconds;
    return;
  }
  recent_.push_back(seconds);
  if (recent_.size() > kRecent) recent_.pop_front();
}

void Pace::save_took(double seconds) {
  const std::lock_guard lock(mutex_);
  largest_save_ = std::max(largest_save_, seconds);
}

void Pace::set_saving(bool saving) {
  const std::lock_guard lock(mutex_);
  saving_ = saving;
}

void Pace::guess_save(double trial_seconds, uint64_t checkpoint_bytes) {
  const std::lock_guard lock(mutex_);
  guessed_save_ = 2 * trial_seconds + static_cast<double>(checkpoint_bytes) / kSlowDisk;
}

void Pace::recall(double step_seconds, double save_seconds) {
  const std::lock_guard lock(mutex_);
  recalled_step_ = step_seconds;
  recalled_save_ = save_seconds;
}

double Pace::step_locked() const {
  if (steps_ == 0) return recalled_step_;
  const double others = recent_.empty() ? 0 : *std::max_element(recent_.begin(), recent_.end());
  return recent_.size() >= kEnough ? others : std::max(first_step_, others);
}

double Pace::save_locked() const {
  if (largest_save_ > 0) return largest_save_;
  return recalled_save_ > 0 ? recalled_save_ : guessed_save_;
}

double Pace::step() const {
  const std::lock_guard lock(mutex_);
  return step_locked();
}

double Pace::save() const {
  const std::lock_guard lock(mutex_);
  return save_locked();
}

int64_t Pace::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

double Pace::margin() const {
  const std::lock_guard lock(mutex_);
  const double running = saving_ ? save_locked() : 0;
  return step_locked() + running + kSaveFactor * save_locked() + kEndSeconds;
}

}  // namespace lynceus::train
