// Linear maps: y = x·wᵀ + b and its two gradients (oneDNN on CPUs, cuBLASLt on CUDA devices). x, w,
// y, dy and dx of one call are all f32 or all bf16; bias, dw and dbias are f32; sums run in f32.
//
// Weights lie as torch.nn.Linear keeps them: w [out, in], row-major. x [rows, in], y [rows, out];
// higher-rank x and y are seen as matrices (Tensor::rows, cols).
// Errors: InternalError when shapes or dtypes disagree.
#pragma once

#include <memory>

#include "core/tensor.h"

namespace lynceus::kernels {

namespace cpu {
struct Bf16Weight;
}

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

/// Whether a stream's products are timed in all the ways that the device's library offers when a
/// shape is first seen (its rows rounded up to a multiple of 128), which waits for the stream; the
/// fastest way is kept. Without it, as at first, the library's guess is taken: which of two ways
/// is faster by a hair is noise, and with it the last bits may differ from run to run and among
/// ranks that compute the same rows. CPUs have one way.
void search_products(const Stream& stream, bool search);
bool searches_products(const Stream& stream);

/// A weight in the order that the forward product reads fastest, packed once because it is frozen.
/// On CPUs in f32, and in bf16 where the processor multiplies bf16, it holds its own memory
/// (MemoryOwner::kFrozenWeight), and the plain tensor may be freed; devices read the plain order as
/// fast, and it shares the tensor.
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(const Stream& stream, const Tensor& w);

  bool defined() const { return transposed_.defined() || plain_.defined() || bf16_ != nullptr; }
  int64_t out_features() const { return out_features_; }
  int64_t in_features() const { return in_features_; }
  size_t bytes() const;
  const Tensor& transposed() const { return transposed_; }
  const Tensor& plain() const { return plain_; }
  const cpu::Bf16Weight* bf16() const { return bf16_.get(); }

 private:
  // One of the three.
  Tensor transposed_;  // [in, out or a cache line more]
  Tensor plain_;       // [out, in]
  std::shared_ptr<const cpu::Bf16Weight> bf16_;
  int64_t out_features_ = 0;
  int64_t in_features_ = 0;
};

/// y = act(x·wᵀ + bias)
void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation = Activation::kNone);

}  // namespace lynceus::kernels
