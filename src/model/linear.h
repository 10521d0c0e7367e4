// Linear: y = x·wᵀ + b. No collective is in here: a layer that splits a Linear over ranks calls the
// reduction itself.
#pragma once

#include <functional>
#include <optional>

#include "kernels/gemm.h"
#include "model/parameter_maker.h"

namespace lynceus::model {

struct Linear {
  Parameter weight;  // [out, in]; a convolution's kernel: [out, channels, height, width]
  std::optional<Parameter> bias;  // [out]
  // Set by pack(), which frees weight.value; only for weights that no gradient passes through. The
  // others are read in both directions, and one plain copy is as fast in both as two packed ones.
  kernels::PackedWeight packed;
  int64_t device_granule = 1;  // see pack()

  struct Saved {
    Tensor x;  // [rows, in]; undefined where the weight is frozen
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

  /// x [rows, in] -> y = act(x·wᵀ + b) [rows, out]
  Tensor forward(const Runtime& rt, const Tensor& x, Saved* saved,
                 kernels::Activation activation = kernels::Activation::kNone) const;
  /// The same into y [rows, out]; keeps nothing.
  void forward(const Runtime& rt, const Tensor& x, const Tensor& y,
               kernels::Activation activation = kernels::Activation::kNone) const;
  /// Keeps what backward needs of forward's input, for a forward that keeps nothing.
  void keep(const Tensor& x, Saved* saved) const {
    if (saved != nullptr && weight.trainable()) saved->x = x;
  }
  /// dx = dy·w;  dw += dyᵀ·x;  db += Σ over rows of dy
  void backward(const Runtime& rt, const Saved& saved, const Tensor& dy, Tensor* dx) const;
  /// The two halves of backward, for products that are summed over several Linears or over ranks.
  /// dx [rows, in] is written in place, with `accumulate` added to.
  void backward_weight(const Runtime& rt, const Saved& saved, const Tensor& dy) const;
  void backward_input(const Runtime& rt, const Tensor& dy, const Tensor& dx,
                      bool accumulate = false) const;
  /// For a weight that is only run forward: copies it into this order and frees the original. With
  /// kRows a sum that tensor ranks may share has kSumParts parts over all of them, if its length
  /// allows it, so that it has the same bits on 1, 2, 4 and 8 ranks. On devices in_features()
  /// becomes a multiple of device_granule; the weights of further inputs are 0.
  void pack(const Runtime& rt, kernels::PackedOrder order = kernels::PackedOrder::kFast);
  static constexpr int64_t kSumParts = 8;

  void visit_parameters(const ParameterVisitor& visit);
};

/// What visit_linears of a layer calls.
using LinearVisitor = std::function<void(Linear&)>;

}  // namespace lynceus::model
