// The pipeline executor: runs one stage's schedule over the micro-batches of a window.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "model/lynx.h"
#include "parallel/schedule.h"
#include "train/data/replica_batch.h"

namespace lynceus::train {

struct PipelineJob {
  parallel::Schedule schedule;  ///< micro-batches counted from 0 within the window
  const std::vector<model::PackedBatch>* batches = nullptr;
  const VisionWindow* window = nullptr;
  Tensor visual;  ///< the window's visual tokens; first stage
  model::Recompute recompute = model::Recompute::kNone;
  bool backward = true;
  /// Last stage: called once a micro-batch (its number in the step).
  std::function<void(int, const model::LlmStage::Output&)> on_output;
  /// Called behind each layer's last backward of the job: its gradients are complete.
  std::function<void(size_t)> on_layer_complete;
};

struct PipelineResult {
  Tensor dvisual;      ///< gradient of `visual`; first stage, where the window has media
  int most_saved = 0;  ///< the most micro-batches held between forward and backward at one time
};

/// Collective over grid.pipeline and grid.tensor. Adds to the stage's parameter gradients.
PipelineResult run_pipeline(const Runtime& rt, const model::LlmStage& stage,
                            const PipelineJob& job);

}  // namespace lynceus::train
