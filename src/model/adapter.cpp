// y = x + scaling · (up(silu(down(norm(x)))) + bias), with one sum over tensor ranks in each
// direction.
#include "model/adapter.h"

#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "model/layer.h"
#include "model/tensor_sum.h"

namespace lynceus::model {

Tensor Adapter::forward(const Runtime& rt, const Tensor& x, Saved* saved) const {
  const Tensor normed = norm.forward(rt, x, part(saved, &Saved::norm));
  const Tensor bottleneck = down.forward(rt, normed, part(saved, &Saved::down));
  const Tensor activated = saved ? rt.activation(bottleneck.shape()) : bottleneck;
  kernels::silu_forward(rt.stream, bottleneck, activated);
  up.keep(activated, part(saved, &Saved::up));
  const Tensor reduced = rt.activation(x.shape());
  sum_over_tensor_ranks(
      rt, reduced, [&](RowRange rows) { up.forward(rt, rows.of(activated), rows.of(reduced)); });

  Tensor y = rt.activation(x.shape());
  kernels::adapter_epilogue_forward(rt.stream, x, reduced, up_bias.value, scaling.value, y);
  if (saved) {
    saved->bottleneck = bottleneck;
    if (scaling.trainable()) saved->reduced = reduced;
  }
  return y;
}

void Adapter::backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const {
  const Tensor dreduced = rt.activation(dy.shape());
  // Only scaling's gradient reads `reduced`; where scaling is frozen, dy stands in for it.
  const Tensor& reduced = scaling.trainable() ? saved.reduced : dy;
  kernels::adapter_epilogue_backward(rt.stream, reduced, up_bias.value, scaling.value, dy, dreduced,
                                     scaling.trainable() ? &scaling.grad : nullptr,
                                     up_bias.trainable() ? &up_bias.grad : nullptr);

  Tensor dbottleneck;
  up.backward(rt, saved.up, dreduced, &dbottleneck);
  kernels::silu_backward(rt.stream, saved.bottleneck, dbottleneck, dbottleneck);
  down.backward_weight(rt, saved.down, dbottleneck);
  const Tensor dnormed = rt.activation(dy.shape());
  sum_over_tensor_ranks(rt, dnormed, [&](RowRange rows) {
    down.backward_input(rt, rows.of(dbottleneck), rows.of(dnormed));
  });

  norm.backward(rt, saved.norm, dnormed, dx, /*dresidual=*/&dy);
}

void Adapter::visit_parameters(const ParameterVisitor& visit) {
  visit(scaling);
  norm.visit_parameters(visit);
  down.visit_parameters(visit);
  up.visit_parameters(visit);
  visit(up_bias);
}

void Adapter::visit_linears(const LinearVisitor& visit) {
  visit(down);
  visit(up);
}

Adapter make_adapter(const ParameterMaker& make, const ModelConfig& config) {
  const int64_t hidden = config.llm.hidden_size, bottleneck = config.bottleneck_size();
  Adapter adapter;
  adapter.norm =
      make_layer_norm(make.in("adapter_norm_before"), hidden, config.adapter.layer_norm_eps);
  adapter.down.weight = make.split("adapter_down.weight", {bottleneck, hidden}, 0);
  adapter.down.bias = make.split("adapter_down.bias", {bottleneck}, 0);
  adapter.up.weight = make.split("adapter_up.weight", {hidden, bottleneck}, 1);
  adapter.up_bias = make.replicated("adapter_up.bias", {hidden});
  adapter.scaling = make.replicated("scaling", {1});
  return adapter;
}

}  // namespace lynceus::model
