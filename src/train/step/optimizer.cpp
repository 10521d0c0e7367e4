// Reduction, norm and AdamW over the trained parameters that the global batch reaches.
#include "train/step/optimizer.h"

#include <algorithm>
#include <cmath>

#include "core/trace.h"
#include "kernels/adamw.h"
#include "kernels/elementwise.h"
#include "train/step/nan_fault.h"

namespace lynceus::train {

Optimizer::Optimizer(const Runtime& rt, model::LynxModel* model, const OptimizerConfig& config)
    : rt_(rt), config_(config), shared_(model->stage.shared_between_stages()) {
  model->visit_parameters([&](Parameter& parameter) {
    if (!parameter.trainable()) return;
    TrainedParameter trained;
    trained.parameter = &parameter;
    trained.reach = model::reach_of(parameter);
    const bool vision = model::in_vision_branch(parameter);
    // Every tensor counts once: tensor shards on the rank that holds them, copies on one rank.
    const bool copy = &parameter == shared_ && !rt.grid.first_stage();
    trained.counts_in_norm = vision ? rt.grid.replica->rank() == 0
                                    : !copy && (parameter.sharded() || rt.grid.tensor->rank() == 0);
    trained.m =
        Tensor::zeros(rt.stream, parameter.value.shape(), DType::kF32, MemoryOwner::kMoment);
    trained.v =
        Tensor::zeros(rt.stream, parameter.value.shape(), DType::kF32, MemoryOwner::kMoment);
    parameters_.push_back(std::move(trained));
  });
  order_gradients(model);
}

/// In the order of the backward pass: the head, the layers from the last to the first, the
/// embedding, then the vision branch, whose sums over the world come after all others on every
/// rank.
void Optimizer::order_gradients(model::LynxModel* model) {
  std::vector<parallel::GradientMember> members;
  const model::ParameterVisitor add = [&](Parameter& parameter) {
    if (!parameter.trainable()) return;
    parallel::Communicator* group =
        model::in_vision_branch(parameter) ? rt_.grid.world.get() : rt_.grid.data.get();
    members.push_back({&parameter, group, static_cast<int>(model::reach_of(parameter))});
  };
  model::LlmStage& stage = model->stage;
  if (stage.head) stage.head->visit_parameters(add);
  complete_after_layer_.resize(stage.layers.size());
  for (size_t layer = stage.layers.size(); layer-- > 0;) {
    stage.layers[layer].visit_parameters(add);
    complete_after_layer_[layer] = members.size();
  }
  if (stage.embedding) stage.embedding->visit_parameters(add);
  model->bridge.visit_parameters(add);
  LYNCEUS_CHECK(members.size() == parameters_.size(), "{} of {} trained parameters are reduced",
                members.size(), parameters_.size());
  reducer_ = std::make_unique<parallel::GradientReducer>(rt_.stream, std::move(members));
  stage.share_embedding();
}

void Optimizer::begin_step(const GlobalReach& reach) {
  reducer_->begin([reach](int part) { return reach.reaches(static_cast<model::Reach>(part)); });
}

void Optimizer::layer_complete(size_t layer) {
  if (rt_.overlap.gradients) reducer_->complete(complete_after_layer_[layer]);
}

void Optimizer::reduce_gradients() {
  LYNCEUS_TRACE("finish gradients");
  reducer_->finish();
  add_other_stage();
}

void Optimizer::add_other_stage() {
  if (shared_ == nullptr || !shared_->trainable()) return;
  const int other = rt_.grid.first_stage() ? rt_.grid.pipeline->size() - 1 : 0;
  const Tensor& mine = shared_->grad;
  const Tensor theirs =
      Tensor::empty(rt_.stream, mine.shape(), DType::kF32, MemoryOwner::kGradient);
  const std::vector<parallel::Transfer> sends = {{other, mine}}, receives = {{other, theirs}};
  rt_.grid.pipeline->exchange(sends, receives);
  kernels::add(rt_.stream, theirs, mine, mine);  // a + b = b + a: both stages get the same bits
}

GradientSquares Optimizer::sum_of_squares(const GlobalReach& reach) const {
  std::vector<Tensor> gradients;
  std::vector<bool> counts;
  for (const TrainedParameter& trained : parameters_) {
    if (!reach.reaches(trained.reach)) continue;
    gradients.push_back(trained.parameter->grad);
    counts.push_back(trained.counts_in_norm);
  }
  GradientSquares result;
  const std::vector<double> squares = kernels::sums_of_squares(rt_.stream, gradients);
  for (size_t i = 0; i < squares.size(); ++i) {
    if (counts[i]) result.sum += squares[i];
    result.finite = result.finite && std::isfinite(squares[i]);
  }
  return result;
}

std::vector<std::string> Optimizer::nonfinite_gradients(const GlobalReach& reach) const {
  std::vector<std::string> names;
  for (auto trained = parameters_.rbegin(); trained != parameters_.rend(); ++trained) {
    if (!reach.reaches(trained->reach)) continue;
    const Tensor gradients[] = {trained->parameter->grad};
    if (!std::isfinite(kernels::sums_of_squares(rt_.stream, gradients)[0]))
      names.push_back(trained->parameter->name);
  }
  return names;
}

std::vector<std::string> Optimizer::nonfinite_values() const {
  std::vector<std::string> names;
  for (const TrainedParameter& trained : parameters_) {
    const Tensor tensors[] = {trained.parameter->value, trained.m, trained.v};
    for (const double squares : kernels::sums_of_squares(rt_.stream, tensors)) {
      if (std::isfinite(squares)) continue;
      names.push_back(trained.parameter->name);
      break;
    }
  }
  return names;
}

void Optimizer::make_gradient_nan(const GlobalReach& reach) const {
  for (const TrainedParameter& trained : parameters_)
    if (reach.reaches(trained.reach) && make_nan(trained.parameter->grad)) return;
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

}  // namespace lynceus::train
