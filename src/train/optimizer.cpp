// Reduction, norm and AdamW over the trained parameters that the global batch reaches. Used by a
// training step.
#include "train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/trace.h"
#include "kernels/adamw.h"
#include "kernels/elementwise.h"
#include "parallel/gradient_reducer.h"

namespace lynceus {

Optimizer::Optimizer(const Runtime& rt, LynxModel* model, const OptimizerConfig& config)
    : rt_(rt), config_(config) {
  model->visit_parameters([&](Parameter& parameter) {
    if (!parameter.trainable()) return;
    TrainedParameter trained;
    trained.parameter = &parameter;
    trained.reach = reach_of(parameter);
    const bool vision = in_vision_branch(parameter);
    trained.group = vision ? rt.grid.world.get() : rt.grid.data.get();
    // Every tensor counts once: shards on the rank that holds them, replicas on one rank.
    trained.counts_in_norm =
        vision ? rt.grid.replica->rank() == 0 : parameter.sharded() || rt.grid.tensor->rank() == 0;
    trained.m =
        Tensor::zeros(rt.stream, parameter.value.shape(), DType::kF32, MemoryOwner::kMoment);
    trained.v =
        Tensor::zeros(rt.stream, parameter.value.shape(), DType::kF32, MemoryOwner::kMoment);
    parameters_.push_back(std::move(trained));
  });
}

void Optimizer::zero_gradients() {
  for (const TrainedParameter& trained : parameters_) trained.parameter->grad.fill_zero();
}

void Optimizer::reduce_gradients(const GlobalReach& reach) {
  LYNCEUS_TRACE("reduce gradients");
  std::vector<parallel::GradientReduction> reductions;
  for (const TrainedParameter& trained : parameters_)
    if (reach.reaches(trained.reach))
      reductions.push_back({trained.parameter->grad, trained.group});
  // World first: all ranks agree on the order of the two groups.
  std::stable_partition(reductions.begin(), reductions.end(), [&](const auto& reduction) {
    return reduction.group == rt_.grid.world.get();
  });
  parallel::reduce_gradients(rt_.stream, reductions);
}

double Optimizer::gradient_norm(int64_t scored_tokens, const GlobalReach& reach) {
  std::vector<Tensor> gradients;
  for (const TrainedParameter& trained : parameters_)
    if (trained.counts_in_norm && reach.reaches(trained.reach))
      gradients.push_back(trained.parameter->grad);
  double sum = 0;
  for (const double squares : kernels::sums_of_squares(rt_.stream, gradients)) sum += squares;
  return std::sqrt(rt_.grid.replica->all_reduce(sum)) / static_cast<double>(scored_tokens);
}

void Optimizer::update(double lr, int64_t scored_tokens, double gradient_norm,
                       const GlobalReach& reach) {
  LYNCEUS_TRACE("optimizer");
  double scale = 1.0 / static_cast<double>(scored_tokens);
  if (config_.max_grad_norm > 0)
    scale *= std::min(1.0, config_.max_grad_norm / (gradient_norm + 1e-6));
  std::vector<kernels::AdamWUpdate> updates;
  for (TrainedParameter& trained : parameters_) {
    if (!reach.reaches(trained.reach)) continue;
    const kernels::AdamWStep step{lr,          config_.beta1,        config_.beta2,
                                  config_.eps, config_.weight_decay, ++trained.steps,
                                  scale};
    const Parameter& parameter = *trained.parameter;
    updates.push_back(
        {step, parameter.grad, parameter.value, trained.m, trained.v, parameter.rounded});
  }
  kernels::adamw(rt_.stream, updates);
}

}  // namespace lynceus
