// RMSNorm (Zhang, Sennrich 2019) and LayerNorm (Ba, Kiros, Hinton 2016) as layers.
#pragma once

#include "model/parameter_maker.h"

namespace lynceus::model {

/// y = x / sqrt(mean(x²) + eps) · weight
struct RmsNorm {
  Parameter weight;  // [width]
  float eps = 1e-6f;

  struct Saved {
    Tensor x;        // [rows, width]
    Tensor inv_rms;  // f32 [rows]
  };

  /// x -> y [rows, width]
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dx = what passes through the norm + dresidual, the gradient that bypasses it (null: none).
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx,
                const Tensor* dresidual = nullptr) const;
  void visit_parameters(const ParameterVisitor& visit) { visit(weight); }
};

/// y = (x − mean) / sqrt(var + eps) · weight + bias
struct LayerNorm {
  Parameter weight;  // [width]
  Parameter bias;    // [width]
  float eps = 1e-5f;

  struct Saved {
    Tensor x;        // [rows, width]
    Tensor mean;     // f32 [rows]
    Tensor inv_std;  // f32 [rows]
  };

  /// x -> y [rows, width]
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved) const;
  /// dx = what passes through the norm + dresidual, the gradient that bypasses it (null: none).
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx,
                const Tensor* dresidual = nullptr) const;
  /// The same, but adds to dx [rows, width] in place.
  void backward_add(const Runtime& rt, const Saved& saved, const Tensor& dy,
                    const Tensor& dx) const;
  void visit_parameters(const ParameterVisitor& visit) {
    visit(weight);
    visit(bias);
  }
};

LayerNorm make_layer_norm(const ParameterMaker& make, int64_t width, double eps);
RmsNorm make_rms_norm(const ParameterMaker& make, int64_t width, double eps);

}  // namespace lynceus::model
