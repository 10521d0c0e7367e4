// y = x·wᵀ + b and its gradients as calls of kernels/gemm.h.
#include "model/linear.h"

#include <numeric>

namespace lynceus::model {
namespace {

/// The parts of a rank's sum over the columns of the weight; 1 where they are not split.
int64_t parts_of_sum(const Parameter& weight) {
  if (weight.shard.axis != 1) return 1;
  const int64_t parts = std::gcd(weight.shard.global_extent, Linear::kSumParts);
  const int64_t ranks = weight.shard.global_extent / weight.value.dim(1);
  return parts % ranks == 0 ? parts / ranks : 1;
}

}  // namespace

Tensor Linear::forward(const Runtime& rt, const Tensor& x, Saved* saved,
                       kernels::Activation activation) const {
  Tensor y = rt.activation({x.rows(), out_features()});
  forward(rt, x, y, activation);
  keep(x, saved);
  return y;
}

void Linear::forward(const Runtime& rt, const Tensor& x, const Tensor& y,
                     kernels::Activation activation) const {
  const Tensor* b = bias ? &bias->value : nullptr;
  if (packed.defined())
    kernels::linear_forward(rt.stream, x, packed, b, y, activation);
  else
    kernels::linear_forward(rt.stream, x, matrix(), b, y, activation);
}

void Linear::backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const {
  backward_weight(rt, saved, dy);
  if (dx == nullptr) return;
  const Tensor out = rt.activation({dy.rows(), in_features()});
  backward_input(rt, dy, out);
  *dx = out;
}

void Linear::backward_weight(const Runtime& rt, const Saved& saved, const Tensor& dy) const {
  if (weight.trainable())
    kernels::linear_backward_weight(rt.stream, dy, saved.x, weight.grad,
                                    bias ? &bias->grad : nullptr);
}

void Linear::backward_input(const Runtime& rt, const Tensor& dy, const Tensor& dx,
                            bool accumulate) const {
  kernels::linear_backward_input(rt.stream, dy, matrix(), dx, accumulate);
}

void Linear::pack(const Runtime& rt, kernels::PackedOrder order) {
  LYNCEUS_CHECK(!weight.trainable(), "{} is trained: it cannot be packed", weight.name);
  if (packed.defined()) return;
  const Tensor w = matrix();
  const int64_t rows = w.rows(), in = w.cols();
  const int64_t wide = rt.stream.device().is_cpu()
                           ? in
                           : (in + device_granule - 1) / device_granule * device_granule;
  Tensor padded = w;
  if (wide != in) {
    padded = Tensor::zeros(rt.stream, {rows, wide}, w.dtype(), MemoryOwner::kFrozenWeight);
    for (int64_t row = 0; row < rows; ++row)
      padded.reshape({rows * wide}).slice(row * wide, in).copy_from(w.slice(row, 1).reshape({in}));
  }
  packed = kernels::PackedWeight(rt.stream, padded, order, parts_of_sum(weight));
  weight.value = Tensor();
}

void Linear::visit_parameters(const ParameterVisitor& visit) {
  visit(weight);
  if (bias) visit(*bias);
}

}  // namespace lynceus::model
