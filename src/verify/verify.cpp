// Runs a case as training would, part by part, and measures how far each quantity is from the
// expected one.
#include "verify/verify.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/load_weights.h"
#include "model/parameter_value.h"
#include "parallel/agreement.h"
#include "verify/case_checks.h"
#include "verify/differences.h"
#include "verify/fingerprints.h"
#include "verify/generation_case.h"
#include "verify/gradients.h"
#include "verify/reference_case.h"
#include "verify/verify_generation.h"
#include "verify/verify_vision.h"

namespace lynceus::verify {
namespace {

double relative(double found, double expected) {
  return std::abs(found - expected) / std::max(std::abs(expected), 1e-30);
}

Finding compare_loss(const std::string& what, double found, double expected,
                     const Tolerances& tolerances) {
  if (tolerances.loss_is_relative)
    return {what + " (relative)", relative(found, expected), tolerances.loss, ""};
  return {what, std::abs(found - expected), tolerances.loss, ""};
}

/// The model of a case with its weights, and its batches as training runs them.
class CaseRunner {
 public:
  CaseRunner(const Runtime& rt, const ReferenceCase& reference, const VerifyOptions& options,
             double label_smoothing, bool frame_position_trains = true)
      : rt_(rt), reference_(reference), options_(options) {
    const model::ModelConfig& config = reference.model;
    model_ = model::make_lynx(
        rt, config, model::partition_model(config, rt.grid.pipeline->size(), options.layers),
        label_smoothing);
    model::load_weights(rt, &model_, *reference.weights);
    if (!frame_position_trains && model_.bridge.frame_position)
      model_.bridge.frame_position->grad = Tensor();
    model_.pack(rt);
  }

  model::LynxModel& model() { return model_; }

  /// The samples of this replica: every data_parallel-th row.
  train::ReplicaBatch batch(const ReferenceBatch& all) const {
    std::vector<train::SampleInput> mine;
    for (const train::SampleInput& sample : all.samples)
      if (sample.index % rt_.grid.data->size() == rt_.grid.data->rank()) mine.push_back(sample);
    return train::make_replica_batch(rt_, reference_.model, std::move(mine),
                                     {options_.micro_batch_tokens, options_.vision_window},
                                     rt_.grid.replica->size());
  }

  train::PixelSource pixels(const ReferenceBatch& all, const train::ReplicaBatch& mine) const {
    return [&all, &mine](int64_t sample) {
      const Tensor pixels = all.pixels.slice(mine.samples[sample].index, 1);
      const Shape& s = pixels.shape();
      return pixels.reshape({s[1], s[2], s[3], s[4]});
    };
  }

  static train::GlobalReach reach(const ReferenceBatch& all) {
    const bool video = !all.samples.empty() && all.samples.front().is_video;
    return {!all.samples.empty(), all.frames > 0, video};
  }

 private:
  const Runtime& rt_;
  const ReferenceCase& reference_;
  const VerifyOptions& options_;
  model::LynxModel model_;
};

/// Largest |ours - expected| over the logits of attended rows. Every rank of the last stage
/// compares its own columns.
double logits_error(const Runtime& rt, const ReferenceCase& reference, CaseRunner* runner) {
  const ReferenceBatch& all = reference.batches.front();
  Tensor expected;
  parallel::agree(*rt.grid.world,
                  [&] { expected = read_f64(rt.host(), *reference.expected, "logits"); });
  const int64_t padded = expected.dim(1), vocabulary = expected.dim(2);
  train::ReplicaBatch mine = runner->batch(all);
  double worst = 0;
  const auto compare = [&](const model::PackedBatch& batch, const model::LlmStage::Output& output) {
    const model::LmHead& head = *runner->model().stage.head;
    const Tensor logits = model::on_host(rt, head.logits(rt, output.h));
    for (size_t s = 0; s < batch.samples.size(); ++s) {
      const int64_t sample = batch.samples[s];
      const auto& columns = all.padded_columns[sample];
      for (size_t r = 0; r < columns.size(); ++r) {
        const float* ours = logits.data<float>() + (batch.sequences.host[s] + r) * logits.cols();
        const double* theirs = expected.data<double>() +
                               (sample * padded + columns[r]) * vocabulary + head.vocabulary.begin;
        for (int64_t v = 0; v < head.vocabulary.valid; ++v) {
          const double error = std::abs(static_cast<double>(ours[v]) - theirs[v]);
          worst = error <= worst ? worst : error;  // a NaN stays
        }
      }
    }
  };
  train::evaluate_loss(rt, runner->model(), &mine, runner->pixels(all, mine), compare);
  if (std::isnan(worst)) worst = INFINITY;
  return rt.grid.world->all_reduce(worst, parallel::ReduceOp::kMax);
}

double mean_loss(const Runtime& rt, CaseRunner* runner, const ReferenceBatch& all) {
  train::ReplicaBatch mine = runner->batch(all);
  const train::StepLoss loss =
      train::evaluate_loss(rt, runner->model(), &mine, runner->pixels(all, mine), nullptr);
  return rt.grid.data->all_reduce(loss.sum) /
         static_cast<double>(rt.grid.data->all_reduce(loss.scored));
}

void verify_gradients(const Runtime& rt, const ReferenceCase& reference,
                      const VerifyOptions& options, const Tolerances& tolerances,
                      std::vector<Finding>* findings) {
  CaseRunner runner(rt, reference, options, reference.label_smoothing);
  const ReferenceBatch& all = reference.batches.front();
  const train::GlobalReach reach = CaseRunner::reach(all);
  train::Optimizer optimizer(rt, &runner.model(), reference.optimizer);
  train::ReplicaBatch mine = runner.batch(all);
  train::StepResult result;
  optimizer.begin_step(reach);
  const train::StepLoss loss = train::accumulate_gradients(
      rt, runner.model(), &optimizer, &mine, runner.pixels(all, mine), options.step, &result);
  optimizer.reduce_gradients();
  const int64_t scored = rt.grid.data->all_reduce(loss.scored);
  const double mean = rt.grid.data->all_reduce(loss.sum) / static_cast<double>(scored);

  Tensor expected_loss;
  parallel::agree(*rt.grid.world,
                  [&] { expected_loss = read_f64(rt.host(), *reference.expected, "loss"); });
  findings->push_back(compare_loss("loss", mean, expected_loss.data<double>()[0], tolerances));
  if (tolerances.logits && reference.expected->has("logits"))
    findings->push_back({"logits", logits_error(rt, reference, &runner), *tolerances.logits, ""});
  compare_gradients(rt, reference, &optimizer, scored, reach, tolerances, findings);
  if (reference.smoothed_loss >= 0) {
    CaseRunner smoothed(rt, reference, options, 0.1);
    findings->push_back(compare_loss("loss, label smoothing 0.1", mean_loss(rt, &smoothed, all),
                                     reference.smoothed_loss, tolerances));
  }
}

/// A case in turns stores moments next to its final parameters.
bool is_moment(const std::string& entry) {
  return entry.starts_with("exp_avg:") || entry.starts_with("exp_avg_sq:");
}

/// The final parameters that the case stores: their error, all together, relative to the distance
/// from the start to the expected ones.
Finding compare_final(const Runtime& rt, const ReferenceCase& reference,
                      train::Optimizer* optimizer, double tolerance) {
  std::map<std::string, std::pair<double, double>> mine;
  std::vector<std::string> names;
  for (const auto& entry : reference.final->entries())
    if (!is_moment(entry.name)) names.push_back(entry.name);
  parallel::agree(*rt.grid.world, [&] {
    for (const train::TrainedParameter& trained : optimizer->parameters()) {
      const Parameter& parameter = *trained.parameter;
      if (!reference.final->has(parameter.name) || !trained.counts_in_norm ||
          rt.grid.data->rank() != 0)
        continue;
      const Tensor start = start_of(rt, reference, parameter);
      const double difference = squares(rt, *reference.final, parameter.name, parameter,
                                        model::on_host(rt, parameter.value), 1)
                                    .first;
      const double moved = squares(rt, *reference.final, parameter.name, parameter, start, 1).first;
      mine[parameter.name] = {difference, moved};
    }
  });
  const auto all = sum_over_world(rt, names, mine);
  double difference = 0, moved = 0;
  for (const auto& [name, pair] : all) {
    difference += pair.first;
    moved += pair.second;
  }
  Finding finding{fmt::format("final parameters ({} tensors)", names.size()),
                  std::sqrt(difference / std::max(moved, 1e-300)), tolerance, ""};
  for (const std::string& name : names)
    if (!all.contains(name))
      finding = {finding.what, INFINITY, finding.tolerance, name + " is not trained here"};
  return finding;
}

/// Parameters that the run must not change by a bit.
Finding compare_untouched(const Runtime& rt, const ReferenceCase& reference,
                          train::Optimizer* optimizer) {
  std::string changed;
  parallel::agree(*rt.grid.world, [&] {
    for (const train::TrainedParameter& trained : optimizer->parameters()) {
      const Parameter& parameter = *trained.parameter;
      if (std::count(reference.untouched.begin(), reference.untouched.end(), parameter.name) > 0 &&
          start_of(rt, reference, parameter).to_vector<float>() !=
              parameter.value.to_vector<float>())
        changed = parameter.name;
    }
  });
  Finding finding{"untouched parameters, bits", 0, 0, ""};
  for (const std::string& name : rt.grid.world->all_gather(changed))
    if (!name.empty()) finding = {finding.what, 1, 0, name};
  return finding;
}

void verify_trajectory(const Runtime& rt, const ReferenceCase& reference,
                       const ReferenceTrajectory& trajectory, const VerifyOptions& options,
                       const Tolerances& tolerances, std::vector<Finding>* findings) {
  CaseRunner runner(rt, reference, options, reference.label_smoothing,
                    trajectory.frame_position_trains);
  train::OptimizerConfig config = reference.optimizer;
  config.max_grad_norm = trajectory.max_grad_norm;
  train::Optimizer optimizer(rt, &runner.model(), config);
  const std::string suffix = trajectory.name.empty() ? "" : ", " + trajectory.name;
  Finding losses{"trajectory losses" + suffix, 0, tolerances.trajectory_loss, ""};
  Finding norms{"gradient norms" + suffix, 0, tolerances.gradient_norm, ""};
  const auto report = [](Finding* finding, double error, size_t step) {
    if (error <= finding->error) return;
    *finding = {finding->what, error, finding->tolerance, fmt::format("step {}", step)};
  };
  for (size_t step = 0; step < trajectory.losses.size(); ++step) {
    const ReferenceBatch& all = reference.batches[step % reference.batches.size()];
    train::ReplicaBatch mine = runner.batch(all);
    const train::StepResult result =
        train::train_step(rt, runner.model(), &optimizer, &mine, runner.pixels(all, mine),
                          CaseRunner::reach(all), options.step, config.lr);
    report(&losses, relative(result.loss, trajectory.losses[step]), step);
    report(&norms, relative(result.gradient_norm, trajectory.grad_norms[step]), step);
  }
  if (trajectory.last_loss >= 0) {
    const ReferenceBatch& all =
        reference.batches[(trajectory.losses.size() - 1) % reference.batches.size()];
    report(&losses, relative(mean_loss(rt, &runner, all), trajectory.last_loss),
           trajectory.losses.size());
  }
  findings->push_back(losses);
  findings->push_back(norms);
  if (!trajectory.name.empty()) return;
  if (tolerances.final_parameters) {
    const double tolerance = *tolerances.final_parameters;
    if (reference.final) findings->push_back(compare_final(rt, reference, &optimizer, tolerance));
    if (auto finding = compare_fingerprints(rt, reference, &optimizer, tolerance))
      findings->push_back(*std::move(finding));
  }
  if (!reference.untouched.empty())
    findings->push_back(compare_untouched(rt, reference, &optimizer));
}

}  // namespace

Tolerances tolerances_of(DType precision) {
  Tolerances tolerances;
  if (precision == DType::kF32) return tolerances;
  tolerances.loss_is_relative = true;
  tolerances.loss = 5e-3;
  tolerances.logits.reset();
  tolerances.gradient = 4e-2;
  tolerances.gradients_together = 4e-2;
  tolerances.times_torch = 3;
  tolerances.trajectory_loss = 1e-2;
  tolerances.gradient_norm = 1e-1;
  tolerances.final_parameters.reset();
  tolerances.vision_features.reset();
  return tolerances;
}

std::vector<Finding> verify_case(const Runtime& rt, const std::filesystem::path& directory,
                                 const VerifyOptions& options, const Tolerances& tolerances) {
  bool resolutions = false, generation = false;
  ReferenceCase reference;
  parallel::agree(*rt.grid.world, [&] {
    resolutions = is_resolution_case(directory);
    generation = is_generation_case(directory);
    if (resolutions || generation) return;
    reference = read_reference_case(directory, rt.host());
    check_model(rt, directory, reference.model, *reference.weights, options.layers);
  });
  if (resolutions) return verify_resolutions(rt, directory, tolerances);
  if (generation) return verify_generation(rt, directory, options, tolerances);
  std::vector<Finding> findings;
  if (reference.expected) verify_gradients(rt, reference, options, tolerances, &findings);
  for (const ReferenceTrajectory& trajectory : reference.trajectories)
    verify_trajectory(rt, reference, trajectory, options, tolerances, &findings);
  return findings;
}

}  // namespace lynceus::verify
