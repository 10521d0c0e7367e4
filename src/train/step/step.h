// One training step, the same function for train, verify and the benchmark. For each vision window:
// vision branch forward, pipeline, vision branch backward. Then gradients are summed over ranks,
// scaled and clipped, and AdamW updates the parameters.
#pragma once

#include <functional>
#include <string>

#include "train/step/nan_fault.h"
#include "train/step/nonfinite_probe.h"
#include "train/step/optimizer.h"
#include "train/step/pipeline.h"
#include "train/step/step_totals.h"
#include "train/step/vision_branch.h"

namespace lynceus::train {

struct StepOptions {
  parallel::ScheduleKind schedule = parallel::ScheduleKind::kOneForwardOneBackward;
  model::Recompute recompute = model::Recompute::kNone;
  bool save_is_due = false;  ///< by this rank's clock; the totals of the step say whether by any
  bool save_is_finished = false;  ///< this rank's part; the totals say whether all ranks' parts are
};

/// From parallel.schedule and train.recompute. UsageError for an unknown schedule.
StepOptions step_options(const std::string& schedule, const std::string& recompute);

struct StepResult {
  double loss = 0;           ///< mean over the scored tokens of the global batch
  double gradient_norm = 0;  ///< of the mean loss, before clipping
  StepTotals totals;
  int most_saved = 0;    ///< the most micro-batches kept between forward and backward on this rank
  VisionCounts vision;   ///< what this rank encoded
  bool updated = false;  ///< false: no scored token or not finite, no parameter changed
  bool finite = true;    ///< false: loss, norm or a gradient of some rank; the same on all ranks
  bool own_finite = true;  ///< losses and gradients of this rank
  NanFaults faults;        ///< on purpose, on this rank
};

/// Called on the last stage with every micro-batch and its output: the input of the head, the loss
/// of each scored row and whether its largest logit is the label's.
using OutputObserver =
    std::function<void(const model::PackedBatch&, const model::LlmStage::Output&)>;

/// Forward and backward: gradients of the summed loss are added to the buffers of the optimizer,
/// whose step has begun; their sums over replicas may still be running on return. -> the loss of
/// the replica. Collective over the world.
StepLoss accumulate_gradients(const Runtime& rt, const model::LynxModel& model,
                              Optimizer* optimizer, ReplicaBatch* batch, const PixelSource& pixels,
                              const StepOptions& options, StepResult* result);

/// Forward only. -> the loss of the replica. Collective over the replica.
StepLoss evaluate_loss(const Runtime& rt, const model::LynxModel& model, ReplicaBatch* batch,
                       const PixelSource& pixels, const OutputObserver& observer);

/// The complete step. Collective over the world. `meanwhile` is called once, after all work before
/// the update has been submitted to the device and before the host waits for it: there the host can
/// prepare the next step at no cost. If loss, gradient norm or a gradient of any rank is not
/// finite, nothing is updated and the result says so, the same on all ranks; in a step without a
/// scored token these numbers are not used.
StepResult try_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                    ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                    const StepOptions& options, double lr,
                    const std::function<void()>& meanwhile = {});

/// The same; AgreedError (kNumeric) if a number is not finite.
StepResult train_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                      ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                      const StepOptions& options, double lr,
                      const std::function<void()>& meanwhile = {});

/// "the loss is nan and the gradient norm nan: nothing was updated".
std::string describe_nonfinite(const StepResult& result);

/// Forward and backward of a batch that had a step already, under the eyes of `probe`. Afterwards
/// each rank's buffers have its own gradients, not summed over ranks. Collective over the world.
void compute_again(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                   ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                   const StepOptions& options, const NanFaults& faults, NonfiniteProbe* probe);

}  // namespace lynceus::train
