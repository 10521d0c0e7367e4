// The norms as calls of kernels/norm.h; forward keeps the statistics that backward needs.
#include "model/norm.h"

#include "kernels/norm.h"

namespace lynceus::model {
namespace {

/// Where the kernels add a parameter's gradient; null: frozen.
const Tensor* gradient(const Parameter& parameter) {
  return parameter.trainable() ? &parameter.grad : nullptr;
}

}  // namespace

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

void RmsNorm::backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx,
                       const Tensor* dresidual) const {
  const Tensor out = dx != nullptr ? rt.activation(dy.shape()) : Tensor();
  kernels::rms_norm_backward(rt.stream, saved.x, weight.value, saved.inv_rms, dy, dresidual,
                             dx != nullptr ? &out : nullptr, gradient(weight));
  if (dx != nullptr) *dx = out;
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

void LayerNorm::backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx,
                         const Tensor* dresidual) const {
  const Tensor out = dx != nullptr ? rt.activation(dy.shape()) : Tensor();
  kernels::layer_norm_backward(rt.stream, saved.x, weight.value, saved.mean, saved.inv_std, dy,
                               dresidual, dx != nullptr ? &out : nullptr, gradient(weight),
                               gradient(bias));
  if (dx != nullptr) *dx = out;
}

void LayerNorm::backward_add(const Runtime& rt, const Saved& saved, const Tensor& dy,
                             const Tensor& dx) const {
  kernels::layer_norm_backward(rt.stream, saved.x, weight.value, saved.mean, saved.inv_std, dy,
                               /*dresidual=*/&dx, &dx, gradient(weight), gradient(bias));
}

LayerNorm make_layer_norm(const ParameterMaker& make, int64_t width, double eps) {
  return {make.replicated("weight", {width}), make.replicated("bias", {width}),
          static_cast<float>(eps)};
}

RmsNorm make_rms_norm(const ParameterMaker& make, int64_t width, double eps) {
  return {make.replicated("weight", {width}), static_cast<float>(eps)};
}

}  // namespace lynceus::model
