// down(silu(gate(x)) · up(x)), with one sum over tensor ranks in each direction.
#include "model/mlp.h"

#include "kernels/activation.h"
#include "model/layer.h"
#include "model/tensor_sum.h"

namespace lynceus::model {

Tensor Mlp::forward(const Runtime& rt, const Tensor& x, Saved* saved) const {
  const Tensor gate = gate_proj.forward(rt, x, part(saved, &Saved::gate_proj));
  const Tensor up = up_proj.forward(rt, x, part(saved, &Saved::up_proj));
  // Without a backward pass the product overwrites gate.
  const Tensor product = saved ? rt.activation(gate.shape()) : gate;
  kernels::swiglu_forward(rt.stream, gate, up, product);
  if (saved) {
    saved->gate = gate;
    saved->up = up;
  }
  down_proj.keep(product, part(saved, &Saved::down_proj));
  Tensor y = rt.activation({x.rows(), down_proj.out_features()});
  sum_over_tensor_ranks(
      rt, y, [&](RowRange rows) { down_proj.forward(rt, rows.of(product), rows.of(y)); });
  return y;
}

void Mlp::backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const {
  Tensor dproduct;
  down_proj.backward(rt, saved.down_proj, dy, &dproduct);

  const Tensor dgate = rt.activation(saved.gate.shape());
  const Tensor dup = rt.activation(saved.up.shape());
  kernels::swiglu_backward(rt.stream, saved.gate, saved.up, dproduct, dgate, dup);

  gate_proj.backward_weight(rt, saved.gate_proj, dgate);
  up_proj.backward_weight(rt, saved.up_proj, dup);
  if (dx == nullptr) return;
  const Tensor sum = rt.activation({dy.rows(), gate_proj.in_features()});
  sum_over_tensor_ranks(rt, sum, [&](RowRange rows) {
    gate_proj.backward_input(rt, rows.of(dgate), rows.of(sum));
    up_proj.backward_input(rt, rows.of(dup), rows.of(sum), /*accumulate=*/true);
  });
  *dx = sum;
}

void Mlp::visit_parameters(const ParameterVisitor& visit) {
  gate_proj.visit_parameters(visit);
  up_proj.visit_parameters(visit);
  down_proj.visit_parameters(visit);
}

void Mlp::visit_linears(const LinearVisitor& visit) {
  for (Linear* linear : {&gate_proj, &up_proj, &down_proj}) visit(*linear);
}

Mlp make_mlp(const ParameterMaker& make, const LlmConfig& config) {
  Mlp mlp;
  const int64_t hidden = config.hidden_size, intermediate = config.intermediate_size;
  mlp.gate_proj.weight = make.split("gate_proj.weight", {intermediate, hidden}, 0);
  mlp.up_proj.weight = make.split("up_proj.weight", {intermediate, hidden}, 0);
  mlp.down_proj.weight = make.split("down_proj.weight", {hidden, intermediate}, 1);
  return mlp;
}

}  // namespace lynceus::model
