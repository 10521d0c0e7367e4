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

/// Forward and backward of all windows. -> the losses of the micro-batches, not read yet. With a
/// probe the sums over replicas are not started.
std::vector<model::LmHead::Loss> run_windows(const Runtime& rt, const model::LynxModel& model,
                                             Optimizer* optimizer, ReplicaBatch* batch,
                                             const PixelSource& pixels, const StepOptions& options,
                                             StepResult* result, NonfiniteProbe* probe = nullptr) {
  prepare(rt, model, batch);
  std::vector<model::LmHead::Loss> losses;
  for (const VisionWindow& window : batch->windows) {
    VisionBranchSaved saved;
    PipelineJob job;
    job.visual = vision_forward(rt, model, window, pixels, &saved, &result->vision);
    job.nan_output = result->faults.output && &window == batch->windows.data();
    job.probe = probe;
    if (probe) probe->visual_tokens(window, job.visual);
    job.schedule =
        parallel::make_schedule(options.schedule, rt.grid.pipeline->size(), rt.grid.stage(),
                                window.micro_batches, rt.overlaps(&parallel::Overlap::pipeline));
    job.batches = &batch->micro_batches;
    job.window = &window;
    job.recompute = options.recompute;
    job.on_output = [&](int, const model::LlmStage::Output& output) {
      losses.push_back(output.loss);
    };
    if (&window == &batch->windows.back() && !probe)
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

StepResult try_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                    ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                    const StepOptions& options, double lr, const std::function<void()>& meanwhile) {
  LYNCEUS_TRACE("step");
  StepResult result;
  result.faults = NanFaults::of_this_step();
  optimizer->begin_step(reach);
  if (result.faults.gradient) optimizer->make_gradient_nan(reach);
  const std::vector<model::LmHead::Loss> losses =
      run_windows(rt, model, optimizer, batch, pixels, options, &result);
  LYNCEUS_FAULT_POINT("step.before_reduce");
  optimizer->reduce_gradients();
  if (meanwhile) meanwhile();
  const StepLoss loss = total(losses);
  const GradientSquares squares = optimizer->sum_of_squares(reach);
  result.own_finite = squares.finite && std::isfinite(loss.sum);
  result.totals = sum_over_ranks(rt,
                                 {loss, squares.sum, result.vision.patch_tokens,
                                  options.save_is_due, options.save_is_finished, result.own_finite},
                                 *batch);
  const int64_t scored = result.totals.scored_tokens;
  if (scored == 0) return result;
  result.loss = result.totals.loss_sum / static_cast<double>(scored);
  result.gradient_norm = std::sqrt(result.totals.squared_norm) / static_cast<double>(scored);
  result.finite = std::isfinite(result.loss) && std::isfinite(result.gradient_norm) &&
                  result.totals.nonfinite_ranks == 0;
  if (!result.finite) return result;
  optimizer->update(lr, scored, result.gradient_norm, reach);
  result.updated = true;
  return result;
}

StepResult train_step(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                      ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                      const StepOptions& options, double lr,
                      const std::function<void()>& meanwhile) {
  StepResult result = try_step(rt, model, optimizer, batch, pixels, reach, options, lr, meanwhile);
  if (!result.finite) throw parallel::AgreedError(ExitCode::kNumeric, describe_nonfinite(result));
  return result;
}

std::string describe_nonfinite(const StepResult& result) {
  const auto text_of = [](double x) { return std::isnan(x) ? "nan" : fmt::format("{}", x); };
  const bool is_seen = !std::isfinite(result.loss) || !std::isfinite(result.gradient_norm);
  return fmt::format("the loss is {} and the gradient norm {}{}: nothing was updated",
                     text_of(result.loss), text_of(result.gradient_norm),
                     is_seen
                         ? ""
                         : fmt::format(", but {} of the ranks have a gradient that is not finite",
                                       result.totals.nonfinite_ranks));
}

void compute_again(const Runtime& rt, const model::LynxModel& model, Optimizer* optimizer,
                   ReplicaBatch* batch, const PixelSource& pixels, const GlobalReach& reach,
                   const StepOptions& options, const NanFaults& faults, NonfiniteProbe* probe) {
  for (VisionWindow& window : batch->windows) window.encoded.reset();  // used up
  StepResult again;
  again.faults = faults;
  optimizer->begin_step(reach);
  if (faults.gradient) optimizer->make_gradient_nan(reach);
  run_windows(rt, model, optimizer, batch, pixels, options, &again, probe);
}

}  // namespace lynceus::train
