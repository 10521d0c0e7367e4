// Gradients window by window, then the update; only the loss for validation.
#include "train/step/step.h"

#include <algorithm>
#include <cmath>

#include "core/fault.h"
#include "core/trace.h"
#include "parallel/agreement.h"
#include "parallel/schedule.h"

namespace lynceus::train {
namespace {

void prepare(const Runtime& rt, const model::LynxModel& model, ReplicaBatch* batch) {
  for (model::PackedBatch& micro_batch : batch->micro_batches)
    model.stage.prepare(rt, &micro_batch);
}

/// Read after all micro-batches have run, so that the host does not wait for the device between
/// them.
StepLoss total(const std::vector<model::LmHead::Loss>& losses) {
  StepLoss sum;
  for (const model::LmHead::Loss& loss : losses) {
    for (const float row : loss.row_loss.to_vector<float>()) sum.sum += row;
    for (const uint8_t correct : loss.row_correct.to_vector<uint8_t>()) sum.correct += correct;
    sum.scored += loss.row_loss.size();
  }
  return sum;
}

/// Forward and backward of all windows. -> the losses of the micro-batches, not read yet.
std::vector<model::LmHead::Loss> run_windows(const Runtime& rt, const model::LynxModel& model,
                                             Optimizer* optimizer, ReplicaBatch* batch,
                                             const PixelSource& pixels, const StepOptions& options,
                                             StepResult* result) {
  prepare(rt, model, batch);
  std::vector<model::LmHead::Loss> losses;
  for (const VisionWindow& window : batch->windows) {
    VisionBranchSaved saved;
    PipelineJob job;
    job.visual = vision_forward(rt, model, window, pixels, &saved, &result->vision);
    job.schedule =
        parallel::make_schedule(options.schedule, rt.grid.pipeline->size(), rt.grid.stage(),
                                window.micro_batches, rt.overlaps(&parallel::Overlap::pipeline));
    job.batches = &batch->micro_batches;
    job.window = &window;
    job.recompute = options.recompute;
    job.on_output = [&](int, const model::LlmStage::Output& output) {
      losses.push_back(output.loss);
    };
    if (&window == &batch->windows.back())
      job.on_layer_complete = [&](size_t layer) { optimizer->layer_complete(layer); };
    const PipelineResult pipeline = run_pipeline(rt, model.stage, job);
    result->most_saved = std::max(result->most_saved, pipeline.most_saved);
    vision_backward(rt, model, window, saved, pipeline.dvisual);
  }
  return losses;
}

}  // namespace

StepOptions step_options(const std::string& schedule, const std::string& recompute) {
  return {parallel::parse_schedule_kind(schedule),
          recompute == "layer" ? model::Recompute::kLayer : model::Recompute::kNone};
}

StepLoss accumulate_gradients(const Runtime& rt, const model::LynxModel& model,
                              Optimizer* optimizer, ReplicaBatch* batch, const PixelSource& pixels,
                              const StepOptions& options, StepResult* result) {
  return share_loss(rt, total(run_windows(rt, model, optimizer, batch, pixels, options, result)));
}

StepLoss evaluate_loss(const Runtime& rt, const model::LynxModel& model, ReplicaBatch* batch,
                       const PixelSource& pixels, const OutputObserver& observer) {
  LYNCEUS_TRACE("evaluate");
  prepare(rt, model, batch);
  std::vector<model::LmHead::Loss> losses;
  for (const VisionWindow& window : batch->windows) {
    PipelineJob job;
    job.visual = vision_forward(rt, model, window, pixels, nullptr, nullptr);
    job.schedule = parallel::make_forward_schedule(rt.grid.pipeline->size(), rt.grid.stage(),
                                                   window.micro_batches);
    job.batches = &batch->micro_batches;
    job.window = &window;
    job.backward = false;
    job.on_output = [&](int micro_batch, const model::LlmStage::Output& output) {
      losses.push_back(output.loss);
      if (observer) observer(batch->micro_batches[micro_batch], output);
    };
    run_pipeline(rt, model.stage, job);
  }
  return share_loss(rt, total(losses));
}

StepResult train_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                      ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                      const StepOptions& options, double lr,
                      const std::function<void()>& meanwhile) {
  LYNCEUS_TRACE("step");
  StepResult result;
  optimizer->begin_step(reach);
  const std::vector<model::LmHead::Loss> losses =
      run_windows(rt, model, optimizer, batch, pixels, options, &result);
  LYNCEUS_FAULT_POINT("step.before_reduce");
  optimizer->reduce_gradients();
  if (meanwhile) meanwhile();
  const StepPart mine{total(losses), optimizer->sum_of_squares(reach), result.vision.patch_tokens,
                      options.save_is_due};
  result.totals = sum_over_ranks(rt, mine, *batch);
  const int64_t scored = result.totals.scored_tokens;
  if (scored == 0) return result;
  result.loss = result.totals.loss_sum / static_cast<double>(scored);
  result.gradient_norm = std::sqrt(result.totals.squared_norm) / static_cast<double>(scored);
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm))
    throw parallel::AgreedError(  // both numbers are the same on all ranks
        ExitCode::kNumeric,
        fmt::format("the loss is {} and the gradient norm {}: nothing was updated", result.loss,
                    result.gradient_norm));
  optimizer->update(lr, scored, result.gradient_norm, reach);
  result.updated = true;
  return result;
}

}  // namespace lynceus::train
