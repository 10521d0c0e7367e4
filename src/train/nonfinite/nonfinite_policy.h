// What a run does about a step whose loss or gradient is not finite (train.nonfinite). The decision
// depends on reduced values and on the manifest's list of such steps only, so all ranks act alike.
//   stop      the run ends; the last good state is a checkpoint
//   skip      the step counts (its number, its samples, its learning rate), but nothing is updated:
//             values, moments and Adam's step counts stay
//   rollback  back to the last committed checkpoint; the samples of the step are left out from now
//             on, so that the numbers of steps, and with them the learning rates, stay
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint/manifest.h"
#include "train/config.h"
#include "train/nonfinite/nonfinite_origin.h"
#include "train/step/step.h"

namespace lynceus::train {

enum class NonfiniteAction { kStop, kSkip, kRollBack };

/// For the bad step number `step` after the `earlier` ones. kStop where it is the
/// train.nonfinite_limit-th within kNonfiniteWindow steps.
NonfiniteAction action_after(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                             int64_t step);

/// The lines about its cause: place, ranks, parameters and samples.
std::vector<std::string> origin_lines(int64_t step, const NonfiniteOrigin& origin);
/// The line about what the policy does, if it is not kStop.
std::string action_line(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                        int64_t step, const StepResult& result);
/// The error that ends the run.
std::string stop_text(const TrainConfig& config, const std::vector<io::LeftOutStep>& earlier,
                      int64_t step, const StepResult& result);

/// The steps of `left_out` that a run still leaves out after it went back to `step`: skipped steps
/// after it come again.
std::vector<io::LeftOutStep> left_out_after_rollback(std::vector<io::LeftOutStep> left_out,
                                                     int64_t step);

}  // namespace lynceus::train
