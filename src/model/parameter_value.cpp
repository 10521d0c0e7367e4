// Values are rounded on the host, so that only the rounded ones are copied to a device.
#include "model/parameter_value.h"

#include "kernels/cast.h"

namespace lynceus::model {

Tensor on_host(const Runtime& rt, const Tensor& tensor) {
  const Tensor here = tensor.on(rt.host());
  if (here.dtype() != DType::kBf16) return here;
  Tensor wide = Tensor::empty(rt.host(), here.shape());
  kernels::cast(rt.host(), here, wide);
  return wide;
}

Tensor to_fill(const Runtime& rt, const Tensor& tensor) {
  if (tensor.device() == rt.host().device() && tensor.dtype() == DType::kF32) return tensor;
  return Tensor::zeros(rt.host(), tensor.shape());
}

void set_from_host(const Runtime& rt, const Tensor& values, const Tensor& tensor) {
  if (values.raw() == tensor.raw()) return;
  if (tensor.dtype() != DType::kBf16) return tensor.copy_from(values);
  const Tensor rounded = Tensor::empty(rt.host(), tensor.shape(), DType::kBf16);
  kernels::cast(rt.host(), values, rounded);
  tensor.copy_from(rounded);
}

void refresh_rounded(const Runtime& rt, LynxModel* model) {
  model->visit_parameters([&](Parameter& parameter) {
    if (parameter.rounded.defined()) kernels::cast(rt.stream, parameter.value, parameter.rounded);
  });
}

HostTensors::HostTensors(const Runtime& rt, std::vector<io::CheckpointTensor> tensors)
    : rt_(rt), on_host_(std::move(tensors)) {
  for (io::CheckpointTensor& tensor : on_host_) {
    own_.push_back(tensor.local);
    tensor.local = on_host(rt, tensor.local);
  }
}

void HostTensors::write_back() const {
  for (size_t i = 0; i < own_.size(); ++i) set_from_host(rt_, on_host_[i].local, own_[i]);
}

}  // namespace lynceus::model
