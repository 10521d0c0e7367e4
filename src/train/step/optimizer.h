// The update of a step: gradients summed over their groups, scaled once by 1 / scored tokens of the
// global batch, clipped by the global norm, AdamW on f32 masters. Moments exist for trainable
// parameters only, and a parameter that the global batch does not reach is left exactly as it is.
#pragma once

#include <memory>
#include <vector>

#include "model/lynx.h"
#include "parallel/gradient_reducer.h"
#include "train/config.h"

namespace lynceus::train {

/// A trainable parameter with its Adam state.
struct TrainedParameter {
  Parameter* parameter = nullptr;
  model::Reach reach = model::Reach::kAnySample;
  parallel::Communicator* group = nullptr;  ///< gradients are summed over it
  bool counts_in_norm = false;              ///< this rank adds it to the global norm
  Tensor m, v;                              ///< like the value
  int64_t steps = 0;                        ///< updates so far, as torch counts them
};

/// What the plan of the global batch says about a step.
struct GlobalReach {
  bool any_sample = false;
  bool any_media = false;
  bool any_video = false;
  bool reaches(model::Reach reach) const {
    return reach == model::Reach::kAnySample  ? any_sample
           : reach == model::Reach::kAnyMedia ? any_media
                                              : any_video;
  }
};

class Optimizer {
 public:
  Optimizer(const Runtime& rt, model::LynxModel* model, const OptimizerConfig& config);

  /// A new step: all gradients are zero. `reach`: of its global batch.
  void begin_step(const GlobalReach& reach);
  /// The gradients of decoder layer `layer` of this stage and of all that backward runs before it
  /// are complete; their sums over replicas begin beside what follows (parallel.overlap).
  void layer_complete(size_t layer);
  /// Collective over the world: the gradients of all reached parameters summed over their groups,
  /// for whatever comes next in the stream.
  void reduce_gradients();
  /// Collective over a replica: the global norm of the mean gradient, equal on all ranks to the
  /// bit.
  double gradient_norm(int64_t scored_tokens, const GlobalReach& reach);
  /// Scales, clips, updates.
  void update(double lr, int64_t scored_tokens, double gradient_norm, const GlobalReach& reach);

  std::vector<TrainedParameter>& parameters() { return parameters_; }

 private:
  void order_gradients(model::LynxModel* model);

  const Runtime& rt_;
  OptimizerConfig config_;
  std::vector<TrainedParameter> parameters_;
  std::unique_ptr<parallel::GradientReducer> reducer_;
  std::vector<size_t> complete_behind_layer_;  ///< gradients that are complete behind its backward
};

}  // namespace lynceus::train
