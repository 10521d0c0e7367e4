// The decoder's MLP, SwiGLU (Shazeer 2020): down(silu(gate(x)) · up(x)). Over grid.tensor gate and
// up are split by output features, down by input features.
#pragma once

#include "model/config.h"
#include "model/linear.h"

namespace lynceus::model {

struct Mlp {
  Linear gate_proj;  // [intermediate_local, hidden]
  Linear up_proj;    // [intermediate_local, hidden]
  Linear down_proj;  // [hidden, intermediate_local]

  struct Saved {
    Linear::Saved gate_proj, up_proj, down_proj;
    Tensor gate, up;  // [tokens, intermediate_local]
  };

  /// x [tokens, hidden] -> y [tokens, hidden], summed over grid.tensor.
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dy [tokens, hidden] -> dx [tokens, hidden], summed over grid.tensor.
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

Mlp make_mlp(const ParameterMaker& make, const LlmConfig& config);

}  // namespace lynceus::model
