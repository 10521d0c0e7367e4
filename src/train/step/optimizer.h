// The update of a step: gradients are summed over their groups, scaled once by 1 / scored tokens of
// the global batch and clipped by the global norm, then AdamW updates the f32 values. Moments exist
// for trainable parameters only. A parameter that the global batch does not reach is not changed.
#pragma once

#include <memory>
#include <vector>

#include "model/lynx.h"
#include "parallel/gradient_reducer.h"
#include "train/config.h"
#include "train/data/replica_batch.h"

namespace lynceus::train {

/// A trainable parameter with its Adam state.
struct TrainedParameter {
  Parameter* parameter = nullptr;
  model::Reach reach = model::Reach::kAnySample;
  bool counts_in_norm = false;  ///< this rank adds it to the global norm of its replica
  Tensor m, v;                  ///< first and second moment, f32, shape of the value
  int64_t steps = 0;            ///< updates so far, as torch counts them
};

/// Of the gradients that a rank holds.
struct GradientSquares {
  double sum = 0;      ///< Σ g² of those that this rank counts in the norm
  bool finite = true;  ///< of all, counted or not
};

class Optimizer {
 public:
  Optimizer(const Runtime& rt, model::LynxModel* model, const OptimizerConfig& config);

  /// Begins a step: sets all gradients to zero. `reach`: of its global batch.
  void begin_step(const GlobalReach& reach);
  /// The gradients of decoder layer `layer` of this stage, and those that the backward pass
  /// computes before it, are complete: their sums over replicas may start and overlap with the rest
  /// of the backward pass (parallel.overlap).
  void layer_complete(size_t layer);
  /// Collective over the world: sums the gradients of all reached parameters over their groups. The
  /// compute stream waits for the sums, the host does not.
  void reduce_gradients();
  /// Of the reached gradients as they are now. The host waits for them.
  GradientSquares sum_of_squares(const GlobalReach& reach) const;
  /// Names of reached parameters whose gradient is not finite, the last of the model first.
  std::vector<std::string> nonfinite_gradients(const GlobalReach& reach) const;
  /// Names of parameters whose value or moment is not finite.
  std::vector<std::string> nonfinite_values() const;
  /// Scales by 1 / scored_tokens, clips and updates. `gradient_norm`: of the scaled gradient.
  void update(double lr, int64_t scored_tokens, double gradient_norm, const GlobalReach& reach);

  std::vector<TrainedParameter>& parameters() { return parameters_; }
  /// A fault on purpose: one reached gradient of this rank becomes NaN. After begin_step().
  void make_gradient_nan(const GlobalReach& reach) const;

 private:
  void order_gradients(model::LynxModel* model);
  /// The first and the last stage add the gradients of the embedding that they share.
  void add_other_stage();

  const Runtime& rt_;
  OptimizerConfig config_;
  Parameter* shared_ = nullptr;  ///< the embedding that two stages share, if they do
  std::vector<TrainedParameter> parameters_;
  std::unique_ptr<parallel::GradientReducer> reducer_;
  std::vector<size_t>
      complete_after_layer_;  ///< gradients complete after the layer's backward pass
};

}  // namespace lynceus::train
