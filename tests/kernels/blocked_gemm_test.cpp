// Our blocked product against scalar loops in f64: more than one block each way and odd remainders.
#include "kernels/cpu/blocked_gemm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "core/tensor.h"

namespace lynceus::kernels::cpu {
namespace {

struct Case {
  int64_t m, n, k;
  bool a_transposed, accumulate;
};

Tensor normal(const Stream& stream, const Shape& shape, std::string_view name) {
  const CounterRandom random(11, name);
  const Tensor tensor = Tensor::empty(stream, shape);
  uint64_t index = 0;
  for (float& value : tensor.span<float>()) value = static_cast<float>(random.normal(index++));
  return tensor;
}

class BlockedGemmTest : public testing::TestWithParam<Case> {};

TEST_P(BlockedGemmTest, IsTheProduct) {
  const auto [m, n, k, a_transposed, accumulate] = GetParam();
  // Wider matrices than the product, so that strides are not extents.
  constexpr int64_t kMargin = 5;
  const Stream stream;
  const Tensor a =
      normal(stream, a_transposed ? Shape{k, m + kMargin} : Shape{m, k + kMargin}, "a");
  const Tensor b = normal(stream, {k, n + kMargin}, "b");
  const Tensor c = normal(stream, {m, n + kMargin}, "c");
  const Tensor before = c.clone(stream);
  const Tensor workspace = Tensor::empty(stream, {blocked_gemm_workspace()});
  const int64_t a_stride = a.dim(1);
  blocked_gemm({m,
                n,
                k,
                {a.data<float>(), a_stride, a_transposed},
                {b.data<float>(), n + kMargin},
                accumulate,
                c.data<float>(),
                n + kMargin},
               workspace.data<float>());
  const float* const left = a.data<float>();
  double worst = 0;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n + kMargin; ++col) {
      const int64_t at = row * (n + kMargin) + col;
      double expected =
          col < n && !accumulate ? 0.0 : static_cast<double>(before.data<float>()[at]);
      for (int64_t i = 0; i < k && col < n; ++i)
        expected +=
            static_cast<double>(left[a_transposed ? i * a_stride + row : row * a_stride + i]) *
            static_cast<double>(b.data<float>()[i * (n + kMargin) + col]);
      worst = std::max(worst, std::abs(static_cast<double>(c.data<float>()[at]) - expected));
    }
  // A sum of k products of standard normals, its rounding error a random walk of k steps.
  EXPECT_LT(worst, 1e-6 * static_cast<double>(k) + 1e-7);
}

INSTANTIATE_TEST_SUITE_P(Shapes, BlockedGemmTest,
                         testing::Values(Case{1, 1, 1, false, false}, Case{97, 33, 1, true, true},
                                         Case{13, 1100, 40, false, true},
                                         Case{200, 70, 300, true, false},
                                         Case{101, 1031, 257, false, true},
                                         Case{96, 1024, 256, true, true},
                                         Case{5, 2049, 513, true, true}));

}  // namespace
}  // namespace lynceus::kernels::cpu
