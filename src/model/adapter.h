// Lynx's bottleneck adapter (Zeng et al. 2023): y = x + scaling · (up(silu(down(LayerNorm(x)))) +
// bias). Over grid.tensor down is split by output features, up by input features; up's bias and the
// residual are added once, after the sum.
#pragma once

#include "model/config.h"
#include "model/linear.h"
#include "model/norm.h"

namespace lynceus::model {

struct Adapter {
  LayerNorm norm;
  Linear down;        // [bottleneck_local, hidden], bias [bottleneck_local]
  Linear up;          // [hidden, bottleneck_local]
  Parameter up_bias;  // [hidden]
  Parameter scaling;  // [1]; multiplies the sum, so each rank computes its complete gradient

  struct Saved {
    LayerNorm::Saved norm;
    Linear::Saved down, up;
    Tensor bottleneck;  // [tokens, bottleneck_local], before SiLU
    Tensor reduced;     // [tokens, hidden]: up's output summed over grid.tensor; undefined where
                        // scaling is frozen
  };

  /// x [tokens, hidden] -> y [tokens, hidden], equal on all tensor ranks.
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit);
  void visit_linears(const LinearVisitor& visit);
};

Adapter make_adapter(const ParameterMaker& make, const ModelConfig& config);

}  // namespace lynceus::model
