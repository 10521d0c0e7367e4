// What the log says at the end of a run.
#pragma once

#include "train/run/training_run.h"

namespace lynceus::train {

/// What was done in this start, which took `seconds`, and what to do next.
void log_end(const TrainingRun& run, double seconds);

}  // namespace lynceus::train
