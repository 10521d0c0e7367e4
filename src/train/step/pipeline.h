// The pipeline executor: runs the schedule of one stage over the micro-batches of a window.
#pragma once

#include <functional>
#include <vector>

#include "model/lynx.h"
#include "parallel/schedule.h"
#include "train/data/replica_batch.h"
#include "train/step/nonfinite_probe.h"

namespace lynceus::train {

struct PipelineJob {
  parallel::Schedule schedule;  ///< micro-batches counted from 0 within the window
  const std::vector<model::PackedBatch>* batches = nullptr;
  const VisionWindow* window = nullptr;
  Tensor visual;  ///< the window's visual tokens; first stage
  model::Recompute recompute = model::Recompute::kNone;
  bool backward = true;
  /// Last stage: called once per micro-batch with its number in the step.
  std::function<void(int, const model::LlmStage::Output&)> on_output;
  /// Called after the last backward pass of each layer in this job: its gradients are complete.
  std::function<void(size_t)> on_layer_complete;
  bool nan_output = false;          ///< a fault on purpose (train/step/nan_fault.h)
  NonfiniteProbe* probe = nullptr;  ///< sees what is received and computed
};

struct PipelineResult {
  Tensor dvisual;      ///< gradient of `visual`; first stage, if the window has media
  int most_saved = 0;  ///< the most micro-batches kept between forward and backward at one time
};

/// Collective over grid.pipeline and grid.tensor. Adds to the stage's parameter gradients.
PipelineResult run_pipeline(const Runtime& rt, const model::LlmStage& stage,
                            const PipelineJob& job);

}  // namespace lynceus::train
