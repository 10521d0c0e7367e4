// Lynx's bottleneck adapter: y = x + scaling · (up(silu(down(LayerNorm(x)))) + bias), down split by
// columns over grid.tensor, up by rows; up's bias and the residual are added once, after the sum.
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
  Parameter scaling;  // [1]; multiplies the reduced value, so its gradient is complete everywhere

  struct Saved {
    LayerNorm::Saved norm;
    Linear::Saved down, up;
    Tensor bottleneck;  // [tokens, bottleneck_local], before SiLU
    Tensor reduced;     // [tokens, hidden]: up's output summed over grid.tensor; for scaling
  };

  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dx null: nobody below wants it.
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, const Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit);
};

Adapter make_adapter(const ParameterMaker& make, const ModelConfig& config);

}  // namespace lynceus::model
