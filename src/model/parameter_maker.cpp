// The shards of a parameter: all of it, an even part of one axis, or rows padded to equal parts.
#include "model/parameter_maker.h"

namespace lynceus::model {

Parameter ParameterMaker::make(const std::string& name, const Shape& local,
                               const TensorShard& shard, DType precision) const {
  Parameter parameter;
  parameter.name = prefix_ + name;
  parameter.shard = shard;
  parameter.module = module_;
  if (!trainable_) {
    parameter.value = Tensor::zeros(rt_.stream, local, precision, MemoryOwner::kFrozenWeight);
    return parameter;
  }
  parameter.value = Tensor::zeros(rt_.stream, local, DType::kF32, MemoryOwner::kTrainableWeight);
  if (precision != DType::kF32)
    parameter.rounded = Tensor::zeros(rt_.stream, local, precision, MemoryOwner::kTrainableWeight);
  parameter.grad = Tensor::zeros(rt_.stream, local, DType::kF32, MemoryOwner::kGradient);
  return parameter;
}

Parameter ParameterMaker::replicated(const std::string& name, const Shape& global) const {
  return make(name, global, TensorShard{}, DType::kF32);
}

Parameter ParameterMaker::replicated_matrix(const std::string& name, const Shape& global) const {
  return make(name, global, TensorShard{}, rt_.precision);
}

Parameter ParameterMaker::split(const std::string& name, const Shape& global, int axis) const {
  const int64_t ranks = rt_.grid.tensor->size();
  LYNCEUS_CHECK(global[axis] % ranks == 0, "{}: axis {} of {} over {} tensor ranks", name, axis,
                global.to_string(), ranks);
  Shape local = global;
  local.set(axis, global[axis] / ranks);
  return make(name, local, TensorShard{axis, local[axis] * rt_.grid.tensor->rank(), global[axis]},
              precision_of(global));
}

Parameter ParameterMaker::padded_rows(const std::string& name, const Shape& global) const {
  const int64_t ranks = rt_.grid.tensor->size();
  const int64_t granule = rt_.stream.device().kind == DeviceKind::kCuda ? kDeviceGranule : 1;
  Shape local = global;
  local.set(0, (global[0] + ranks * granule - 1) / (ranks * granule) * granule);
  return make(name, local, TensorShard{0, local[0] * rt_.grid.tensor->rank(), global[0]},
              rt_.precision);
}

}  // namespace lynceus::model
