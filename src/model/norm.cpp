// The norms as calls of kernels/norm.h, keeping the statistics that backward needs. Used by every
// block.
#include "model/norm.h"

#include "kernels/norm.h"

namespace lynceus::model {

Tensor RmsNorm::forward(const Runtime& rt, const Tensor& x, Saved* saved) const {
  Tensor y = rt.activation(x.shape());
  if (saved == nullptr) {
    kernels::rms_norm_forward(rt.stream, x, weight.value, eps, y, nullptr);
    return y;
  }
  *saved = {x, Tensor::empty(rt.stream, {x.rows()})};
  kernels::rms_norm_forward(rt.stream, x, weight.value, eps, y, &saved->inv_rms);
  return y;
}

Tensor RmsNorm::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                         const Tensor* dresidual) const {
  Tensor dx = rt.activation(dy.shape());
  kernels::rms_norm_backward(rt.stream, saved.x, weight.value, saved.inv_rms, dy, dresidual, &dx,
                             weight.trainable() ? &weight.grad : nullptr);
  return dx;
}

Tensor LayerNorm::forward(const Runtime& rt, const Tensor& x, Saved* saved) const {
  Tensor y = rt.activation(x.shape());
  if (saved == nullptr) {
    kernels::layer_norm_forward(rt.stream, x, weight.value, bias.value, eps, y, nullptr, nullptr);
    return y;
  }
  *saved = {x, Tensor::empty(rt.stream, {x.rows()}), Tensor::empty(rt.stream, {x.rows()})};
  kernels::layer_norm_forward(rt.stream, x, weight.value, bias.value, eps, y, &saved->mean,
                              &saved->inv_std);
  return y;
}

void LayerNorm::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx) const {
  kernels::layer_norm_backward(rt.stream, saved.x, weight.value, saved.mean, saved.inv_std, dy,
                               dresidual, dx, weight.trainable() ? &weight.grad : nullptr,
                               bias.trainable() ? &bias.grad : nullptr);
}

LayerNorm make_layer_norm(const ParameterMaker& make, int64_t width, double eps) {
  return {make.replicated("weight", {width}), make.replicated("bias", {width}),
          static_cast<float>(eps)};
}

RmsNorm make_rms_norm(const ParameterMaker& make, int64_t width, double eps) {
  return {make.replicated("weight", {width}), static_cast<float>(eps)};
}

}  // namespace lynceus::model
