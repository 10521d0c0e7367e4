// RMSNorm and LayerNorm as layers.
#pragma once

#include "model/parameter_maker.h"

namespace lynceus::model {

/// y = x / sqrt(mean(x²) + eps) · weight
struct RmsNorm {
  Parameter weight;  // [width]
  float eps = 1e-6f;

  struct Saved {
    Tensor x;        // [rows, width]
    Tensor inv_rms;  // [rows]
  };

  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dx = residual gradient (or 0) + what passes through the norm.
  Tensor backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                  const Tensor* dresidual) const;
  void visit_parameters(const ParameterVisitor& visit) { visit(weight); }
};

/// y = (x − mean) / sqrt(var + eps) · weight + bias
struct LayerNorm {
  Parameter weight;  // [width]
  Parameter bias;    // [width]
  float eps = 1e-5f;

  struct Saved {
    Tensor x;        // [rows, width]
    Tensor mean;     // [rows]
    Tensor inv_std;  // [rows]
  };

  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dx = dresidual (or 0) + what passes through the norm; null: nobody below wants it.
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, const Tensor* dresidual,
                const Tensor* dx) const;
  void visit_parameters(const ParameterVisitor& visit) {
    visit(weight);
    visit(bias);
  }
};

LayerNorm make_layer_norm(const ParameterMaker& make, int64_t width, double eps);
RmsNorm make_rms_norm(const ParameterMaker& make, int64_t width, double eps);

}  // namespace lynceus::model
