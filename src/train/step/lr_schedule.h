// The learning rate of a step: warm-up from a start value, then linear or cosine decay. Pure.
#pragma once

#include "train/config.h"

namespace lynceus::train {

/// step from 0 to total_steps - 1. Warm-up takes round(warmup_share · total_steps) steps.
double learning_rate(const OptimizerConfig& config, int64_t step, int64_t total_steps);

}  // namespace lynceus::train
