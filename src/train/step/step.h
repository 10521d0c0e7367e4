// One training step (DESIGN "One step", 3 to 6), the same function for train, verify and the
// benchmark: vision forward, pipeline, vision backward window by window; then reduce, clip, AdamW.
#pragma once

#include <functional>
#include <vector>

#include "train/step/optimizer.h"
#include "train/step/pipeline.h"
#include "train/step/vision_branch.h"

namespace lynceus::train {

struct StepOptions {
  parallel::ScheduleKind schedule = parallel::ScheduleKind::kOneForwardOneBackward;
  model::Recompute recompute = model::Recompute::kNone;
};

/// Sums over the replica's scored rows, complete on all ranks of the replica.
struct StepLoss {
  double sum = 0;
  int64_t scored = 0;
  int64_t correct = 0;
};

struct StepResult {
  double loss = 0;            ///< mean over the scored tokens of the global batch
  int64_t scored_tokens = 0;  ///< of the global batch
  double gradient_norm = 0;   ///< before clipping
  int most_saved = 0;         ///< micro-batches held between forward and backward
  VisionCounts vision;        ///< what this rank encoded
  bool updated = false;       ///< false: no scored token, nothing moved
};

/// Called on the last stage with every micro-batch: what the head read, the loss of each scored row
/// and whether it is right.
using OutputObserver =
    std::function<void(const model::PackedBatch&, const model::LlmStage::Output&)>;

/// Forward and backward: gradients of the summed loss are added to the buffers of the optimizer,
/// whose step has begun; their sums over replicas may be under way on return. Collective over the
/// world.
StepLoss accumulate_gradients(const Runtime& rt, const model::LynxModel& model,
                              Optimizer* optimizer, ReplicaBatch* batch, const PixelSource& pixels,
                              const StepOptions& options, StepResult* result);

/// Forward only. Collective over the replica.
StepLoss evaluate_loss(const Runtime& rt, const model::LynxModel& model, ReplicaBatch* batch,
                       const PixelSource& pixels, const OutputObserver& observer);

/// The whole step. Collective over the world. `meanwhile` is called once when the device has been
/// given all work up to the update and before the host waits for it: there the host's own work for
/// the next step costs nothing.
StepResult train_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                      ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                      const StepOptions& options, double lr,
                      const std::function<void()>& meanwhile = {});

}  // namespace lynceus::train
