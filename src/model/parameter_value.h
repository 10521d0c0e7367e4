// Values of parameters and gradients as f32 in host memory, on any device and in any precision: for
// files, checkpoints and comparisons.
#pragma once

#include <span>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "model/lynx.h"

namespace lynceus::model {

/// `tensor` (f32 or bf16, any device) as f32 in host memory; `tensor` itself if it is that already.
Tensor on_host(const Runtime& rt, const Tensor& tensor);

/// Where new values of `tensor` can be written before set_from_host(): `tensor` itself if it is f32
/// in host memory, else zeros of its shape there; values are not copied.
Tensor to_fill(const Runtime& rt, const Tensor& tensor);

/// Sets `tensor` (f32 or bf16, any device) from f32 values in host memory, rounded to nearest.
void set_from_host(const Runtime& rt, const Tensor& values, const Tensor& tensor);

/// Renews the rounded copies of trained matrices from their f32 values; to be called after anything
/// but the optimizer has changed the values.
void refresh_rounded(const Runtime& rt, LynxModel* model);

/// The tensors of a checkpoint as f32 in host memory, to be saved from or read into. A tensor of
/// the run that is already f32 in host memory is used itself.
class HostTensors {
 public:
  HostTensors(const Runtime& rt, std::vector<io::CheckpointTensor> tensors);

  /// As passed to the constructor, but with local parts in host memory that have the values which
  /// the tensors had then.
  std::span<const io::CheckpointTensor> tensors() const { return on_host_; }
  /// Copies the local parts back into the run's tensors, rounded where those are bf16.
  void write_back() const;

 private:
  const Runtime& rt_;
  std::vector<Tensor> own_;
  std::vector<io::CheckpointTensor> on_host_;
};

}  // namespace lynceus::model
