#include "kernels/cpu/float32.h"

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {

void convert(const Tensor& source, const Tensor& target) {
  LYNCEUS_CHECK(source.size() == target.size(), "{} elements converted into {}", source.size(),
                target.size());
  constexpr int64_t kBlock = 4096;
  const int64_t n = source.size(), blocks = (n + kBlock - 1) / kBlock;
  const auto convert_blocks = [&](const auto* from, auto* to) {
    using To = std::remove_pointer_t<decltype(to)>;
    for_each_row(blocks, kBlock, [=](int64_t block) {
      const int64_t end = std::min(n, (block + 1) * kBlock);
      for (int64_t i = block * kBlock; i < end; ++i)
        to[i] = static_cast<To>(static_cast<float>(from[i]));
    });
  };
  if (source.dtype() == DType::kBf16)
    convert_blocks(source.data<BFloat16>(), target.data<float>());
  else
    convert_blocks(source.data<float>(), target.data<BFloat16>());
}

}  // namespace lynceus::kernels::cpu
