// Looks at every result of a step that is computed again, to find where a value that is not finite
// arises: what a rank received is still finite, what it computed from it is not. Copies each result
// to the host, so it is for bad steps only.
#pragma once

#include <cstdint>
#include <set>

#include "model/lynx.h"
#include "train/data/replica_batch.h"
#include "train/step/optimizer.h"

namespace lynceus::train {

/// Whether all elements (f32 or bf16, any device) are finite; true for an undefined tensor.
bool all_finite(const Tensor& tensor);

class NonfiniteProbe {
 public:
  NonfiniteProbe(const Runtime& rt, const Optimizer& optimizer, const GlobalReach& reach,
                 const ReplicaBatch& batch)
      : rt_(rt), optimizer_(optimizer), reach_(reach), batch_(batch) {}

  /// The window's visual tokens, on the first stage.
  void visual_tokens(const VisionWindow& window, const Tensor& visual);
  /// `micro_batch` is its number in the step. `input`: activations or visual tokens.
  void forward(int micro_batch, const Tensor& input, const model::LlmStage::Output& output);
  /// `dh`: received from the next stage; `dx`: for the stage before.
  void backward(int micro_batch, const Tensor& dh, const Tensor& dx);

  /// Ranks in grid.replica whose visual tokens are not finite; known on the first stage.
  const std::set<int>& encoders() const { return encoders_; }
  /// Activations or a gradient that this rank received from another stage were not finite.
  bool input_arrived() const { return input_arrived_; }
  bool gradient_arrived() const { return gradient_arrived_; }
  /// A result was not finite although all that this rank had received was. In a tensor group the
  /// layers' sums carry it from one rank to the others.
  bool forward_arises() const { return forward_arises_; }
  bool backward_arises() const { return backward_arises_; }
  /// Positions in ReplicaBatch::samples: of the micro-batches, or the media, in which it arises.
  const std::set<int64_t>& samples() const { return samples_; }

 private:
  void add_samples(int micro_batch);

  const Runtime& rt_;
  const Optimizer& optimizer_;
  GlobalReach reach_;
  const ReplicaBatch& batch_;
  std::set<int> encoders_;
  bool forward_arises_ = false, backward_arises_ = false;
  bool input_arrived_ = false, gradient_arrived_ = false;
  std::set<int64_t> samples_;
};

}  // namespace lynceus::train
