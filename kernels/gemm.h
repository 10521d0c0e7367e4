// Linear maps: y = x·wᵀ + b and its two gradients (oneDNN on CPUs, cuBLASLt on CUDA devices). x, w,
// y, dy and dx of one call are all f32 or all bf16; bias, dw and dbias are f32; sums run in f32.
//
// Weights have the order of torch.nn.Linear: w [out, in], row-major. x [rows, in], y [rows, out]; x
// and y of higher rank are treated as matrices (Tensor::rows, cols). Errors: InternalError if
// shapes or dtypes disagree.
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

/// Whether the stream times all algorithms of the device's library when it first sees the shape of
/// a product (rows rounded up to a multiple of 128) and keeps the fastest. This waits for the
/// stream. Off at first: then the library's heuristic chooses. With the search, noise may decide
/// between two algorithms, so the last bits may differ from run to run and among ranks that compute
/// the same rows. CPUs have one algorithm.
void search_products(const Stream& stream, bool search);
bool searches_products(const Stream& stream);

/// What a packed weight is for.
enum class PackedOrder {
  kFast,  ///< training and validation
  kRows  ///< generation: a row of y depends on its row of x and on the weight only, to the last bit
};

/// A weight in the order that the forward product reads fastest, packed once because it is frozen.
///
/// kRows: a row of y has the same bits however many other rows there are, and on CPUs for any
/// number of threads. There the sum over `in` is that of `parts` equal parts, a power of two that
/// divides it, added in pairs, the pairs in pairs and so on, so ranks with consecutive parts that
/// add their results in pairs get the same bits, too; f32 and bf16 weights have memory of their
/// own. Devices multiply kRowGroup rows at a time, which a product of fewer is filled up to. y may
/// be f32 where x and w are bf16.
///
/// kFast: on CPUs in f32, and in bf16 if the processor multiplies bf16, it has its own memory
/// (MemoryOwner::kFrozenWeight), and the plain tensor may be freed. Devices read the plain order as
/// fast, so there it shares the tensor.
class PackedWeight {
 public:
  PackedWeight() = default;
  PackedWeight(const Stream& stream, const Tensor& w, PackedOrder order = PackedOrder::kFast,
               int64_t parts = 1);
  static constexpr int64_t kRowGroup = 128;

  bool defined() const { return packed_ != nullptr; }
  int64_t out_features() const;
  int64_t in_features() const;
  size_t bytes() const;
  /// Whether it is in the processor's own order for bf16 products.
  bool is_packed_bf16() const;

 private:
  struct Packed;
  friend void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                             const Tensor* bias, const Tensor& y, Activation activation);

  std::shared_ptr<const Packed> packed_;  // shared by copies
};

/// y = act(x·wᵀ + bias)
void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation = Activation::kNone);

}  // namespace lynceus::kernels
