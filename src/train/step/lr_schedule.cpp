// With w warm-up steps of n: start + (lr - start) · step / w, then final + (lr - final) · left,
// where left falls from 1 to 0; step n would have left = 0.
#include "train/step/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lynceus::train {

double learning_rate(const OptimizerConfig& config, int64_t step, int64_t total_steps) {
  const int64_t warmup = std::llround(config.warmup_share * static_cast<double>(total_steps));
  if (step < warmup) {
    const double t = static_cast<double>(step) / static_cast<double>(warmup);
    return config.warmup_start_lr + t * (config.lr - config.warmup_start_lr);
  }
  if (config.schedule == "constant") return config.lr;
  const double decay = static_cast<double>(std::max<int64_t>(total_steps - warmup, 1));
  const double t = std::min(1.0, static_cast<double>(step - warmup) / decay);
  const double left =
      config.schedule == "cosine" ? 0.5 * (1.0 + std::cos(std::numbers::pi * t)) : 1.0 - t;
  return config.final_lr + left * (config.lr - config.final_lr);
}

}  // namespace lynceus::train
