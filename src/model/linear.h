// Linear: y = x·wᵀ + b. Collectives never stand in here: whoever splits a Linear over ranks writes the
// reduction where it happens.
#pragma once

#include <optional>

#include "kernels/gemm.h"
#include "model/parameter_maker.h"

namespace lynceus {

struct Linear {
  Parameter weight;               // [out, in]; a convolution's kernel: [out, channels, height, width]
  std::optional<Parameter> bias;  // [out]
  // Set for frozen weights by pack(): then weight.value is gone.
  kernels::PackedWeight packed_forward;
  kernels::PackedWeight packed_backward;

  struct Saved {
    Tensor x;  // [rows, in], only where the weight is trained
  };

  int64_t out_features() const {
    return packed_forward.defined() ? packed_forward.out_features() : weight.value.dim(0);
  }
  int64_t in_features() const {
    return packed_forward.defined() ? packed_forward.in_features() : matrix().dim(1);
  }
  /// The weight as [out, in].
  Tensor matrix() const {
    const int64_t out = weight.value.dim(0);
    return weight.value.reshape({out, weight.value.size() / out});
  }

  /// act(x·wᵀ + b)
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved,
                 kernels::Activation activation = kernels::Activation::kNone) const;
  /// dx = dy·w, or += with `accumulate`; null: nobody below wants it. Adds to the gradients of
  /// weight and bias where they are trained.
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, const Tensor* dx,
                bool accumulate = false) const;
  /// Gives a frozen weight to the GEMM library in its own order and frees the original.
  void pack(const Runtime& rt, bool gradient_passes);

  void visit_parameters(const ParameterVisitor& visit);
};

}  // namespace lynceus
