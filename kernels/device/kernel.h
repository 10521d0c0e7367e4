// Kernel: the code of one device for an op.
//
// The contract of an op, kernels/<op>.h, also declares its device code: kernels/device/<op>.h lists
// its kernels with the signatures of the contract, and each device defines one such list with
// checked arguments (kernels/cpu/<op>.cpp, kernels/cuda/<op>.cu).
#pragma once

#include <utility>

#include "core/error.h"

namespace lynceus::kernels {

template <typename Signature>
class Kernel;

/// A function of this signature. A kernel that the device does not define throws InternalError.
template <typename Result, typename... Args>
class Kernel<Result(Args...)> {
 public:
  using Function = Result (*)(Args...);

  constexpr Kernel() = default;
  constexpr Kernel(Function function) : function_(function) {}  // NOLINT: implicit on purpose
  Result operator()(Args... args) const { return function_(std::forward<Args>(args)...); }

 private:
  static Result missing(Args...) {
    throw InternalError("a kernel was called that this program was built without");
  }

  Function function_ = missing;
};

}  // namespace lynceus::kernels
