// Values of parameters and gradients as the host sees them: f32 in host memory, whatever the device
// and the precision of the run. Used where files, checkpoints and comparisons meet the model.
#pragma once

#include <span>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "model/lynx.h"

namespace lynceus::model {

/// `tensor` (f32 or bf16, any device) as f32 in host memory; itself where it is that already.
Tensor on_host(const Runtime& rt, const Tensor& tensor);

/// Where new values of `tensor` can be written before set_from_host(): itself where it is f32 in
/// host memory, else zeros there, and nothing is fetched.
Tensor to_fill(const Runtime& rt, const Tensor& tensor);

/// Sets `tensor` (f32 or bf16, any device) from f32 values in host memory, rounded to nearest.
void set_from_host(const Runtime& rt, const Tensor& values, const Tensor& tensor);

/// The rounded copies of what is trained, from its f32 values: after anything but the optimizer has
/// changed them.
void refresh_rounded(const Runtime& rt, LynxModel* model);

/// The tensors of a checkpoint in host memory, where files can be read into them. Where the run's
/// tensors lie there as f32 they are these very tensors.
class HostTensors {
 public:
  HostTensors(const Runtime& rt, std::vector<io::CheckpointTensor> tensors);

  /// As given, the local parts on the host with the values of now.
  std::span<const io::CheckpointTensor> tensors() const { return on_host_; }
  /// Gives the model what was read.
  void write_back() const;

 private:
  const Runtime& rt_;
  std::vector<Tensor> own_;
  std::vector<io::CheckpointTensor> on_host_;
};

}  // namespace lynceus::model
