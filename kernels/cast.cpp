#include "kernels/cast.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/cast.h"

namespace lynceus::kernels {

void cast(const Stream& stream, const Tensor& x, const Tensor& y) {
  constexpr const char* kKernel = "cast";
  const bool widens = x.dtype() == DType::kBf16;
  check_vector(kKernel, "x", x, x.size(), widens ? DType::kBf16 : DType::kF32);
  check_vector(kKernel, "y", y, x.size(), widens ? DType::kF32 : DType::kBf16);
  if (stream.device().is_cpu())
    cpu::convert(x, y);
  else
    cuda::kCast.cast(stream, x, y);
}

}  // namespace lynceus::kernels
