// Linear maps: y = x·wᵀ + b and its two gradients. All f32 on CPUs (oneDNN).
//
// Weights lie as torch.nn.Linear keeps them: w [out, in], row-major. x [rows, in], y [rows, out];
// higher-rank x and y are seen as matrices (Tensor::rows, cols).
// Errors: InternalError when shapes or dtypes disagree.
#pragma once

#include <memory>

#include "core/tensor.h"

namespace lynceus::kernels {

enum class Activation { kNone, kGelu };

/// y = act(x·wᵀ + bias).  bias [out] or null.
void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation = Activation::kNone);

/// dx = dy·w.  dy [rows, out], dx [rows, in]. With `accumulate`, dx += dy·w.
void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate = false);

/// dw += dyᵀ·x;  dbias += column sums of dy (null: no bias).
void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw, const Tensor* dbias);

/// A weight in the order the GEMM library likes best, packed once because it is frozen. Holds its
/// own memory (MemoryOwner::kFrozenWeight); the plain tensor may be freed.
class PackedWeight {
 public:
  enum class Use {
    kForward,       ///< x·wᵀ
    kBackwardInput  ///< dy·w
  };
  PackedWeight() = default;
  PackedWeight(const Stream& stream, const Tensor& w, Use use);

  bool defined() const { return impl_ != nullptr; }
  int64_t out_features() const;
  int64_t in_features() const;
  size_t bytes() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::shared_ptr<const Impl> impl_;
};

/// y = act(x·wᵀ + bias), w packed for kForward.
void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation = Activation::kNone);
/// dx = dy·w (+=), w packed for kBackwardInput.
void linear_backward_input(const Stream& stream, const Tensor& dy, const PackedWeight& w,
                           const Tensor& dx, bool accumulate = false);

}  // namespace lynceus::kernels
