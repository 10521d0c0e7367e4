// bf16 tensors as the f32 tensors that CPU kernels compute on. f32 tensors are passed through at no
// cost; a bf16 input is widened before the call, a bf16 output is rounded after it:
//
//   cpu::rms_norm_forward(stream, In(stream, x), weight, eps, Out(stream, y), inv_rms);
#pragma once

#include "core/tensor.h"

namespace lynceus::kernels::cpu {

/// target = source, between f32 and bf16, rounded to nearest even.
void convert(const Tensor& source, const Tensor& target);

/// The base of the three below. Null tensors stay null.
class Float32 {
 public:
  Float32(const Float32&) = delete;
  Float32& operator=(const Float32&) = delete;
  operator const Tensor&() const { return wide_; }                               // NOLINT
  operator const Tensor*() const { return wide_.defined() ? &wide_ : nullptr; }  // NOLINT

 protected:
  Float32(const Stream& stream, const Tensor* tensor, bool read, bool write) {
    if (tensor == nullptr) return;
    wide_ = *tensor;
    if (tensor->dtype() != DType::kBf16) return;
    wide_ = Tensor::empty(stream, tensor->shape());
    if (read) convert(*tensor, wide_);
    if (write) target_ = *tensor;
  }
  ~Float32() {
    if (target_.defined()) convert(wide_, target_);
  }

 private:
  Tensor wide_;
  Tensor target_;  // bf16: receives the rounded values at the end
};

struct In : Float32 {
  In(const Stream& stream, const Tensor& tensor) : Float32(stream, &tensor, true, false) {}
  In(const Stream& stream, const Tensor* tensor) : Float32(stream, tensor, true, false) {}
};

struct Out : Float32 {
  Out(const Stream& stream, const Tensor& tensor) : Float32(stream, &tensor, false, true) {}
  Out(const Stream& stream, const Tensor* tensor) : Float32(stream, tensor, false, true) {}
};

struct InOut : Float32 {
  InOut(const Stream& stream, const Tensor& tensor) : Float32(stream, &tensor, true, true) {}
  InOut(const Stream& stream, const Tensor* tensor) : Float32(stream, tensor, true, true) {}
};

}  // namespace lynceus::kernels::cpu
