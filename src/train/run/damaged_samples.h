// Samples whose media is damaged: it was replaced, and they are not scored.
#pragma once

#include "train/run/run_report.h"

namespace lynceus::train {

/// Lists and counts those of a step. AgreedError (kInput) if their share of all samples is above
/// `max_bad`. Collective over the world.
void count_damaged(const Runtime& rt, double max_bad, const StepDone& step, RunPosition* position,
                   RunReport* report);

}  // namespace lynceus::train
