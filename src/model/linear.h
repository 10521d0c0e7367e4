// Linear: y = x·wᵀ + b. Collectives never stand in here: whoever splits a Linear over ranks writes
// the reduction where it happens.
#pragma once

#include <optional>

#include "kernels/gemm.h"
#include "model/parameter_maker.h"

namespace lynceus::model {

struct Linear {
  Parameter weight;  // [out, in]; a convolution's kernel: [out, channels, height, width]
  std::optional<Parameter> bias;  // [out]
  // Set by pack() where no gradient passes: then weight.value is gone. What a gradient passes
  // through is read in both directions, and one plain copy serves both as fast as two packed ones.
  kernels::PackedWeight packed;

  struct Saved {
    Tensor x;  // [rows, in], only where the weight is trained
  };

  int64_t out_features() const {
    return packed.defined() ? packed.out_features() : weight.value.dim(0);
  }
  int64_t in_features() const { return packed.defined() ? packed.in_features() : matrix().dim(1); }
  /// The weight as [out, in].
  Tensor matrix() const {
    const Tensor& used = weight.used();
    return used.reshape({used.dim(0), used.size() / used.dim(0)});
  }

  /// act(x·wᵀ + b)
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved,
                 kernels::Activation activation = kernels::Activation::kNone) const;
  /// The same into y [rows, out], and nothing is kept.
  void forward(const Runtime& rt, const Tensor& x, const Tensor& y,
               kernels::Activation activation = kernels::Activation::kNone) const;
  /// What backward needs of forward's input.
  void keep(const Tensor& x, Saved* saved) const {
    if (saved != nullptr && weight.trainable()) saved->x = x;
  }
  /// dx = dy·w, or += with `accumulate`; null: nobody below wants it. Adds to the gradients of
  /// weight and bias where they are trained.
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, const Tensor* dx,
                bool accumulate = false) const;
  /// The two halves of backward.
  void backward_weight(const Runtime& rt, const Saved& saved, const Tensor& dy) const;
  void backward_input(const Runtime& rt, const Tensor& dy, const Tensor& dx,
                      bool accumulate = false) const;
  /// For a weight that is only ever run forward: gives it to the GEMM library in the order that it
  /// likes best and frees the original.
  void pack(const Runtime& rt);

  void visit_parameters(const ParameterVisitor& visit);
};

}  // namespace lynceus::model
