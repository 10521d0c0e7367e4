// Casts against the host type's rounding, at the edges of its range.
#include "kernels/cast.h"

#include <limits>

#include "kernel_test.h"

namespace lynceus::kernels {
namespace {

class Cast : public testing::TestWithParam<int64_t> {};

TEST_P(Cast, RoundsToNearestEvenAndWidensExactly) {
  const Stream stream = test_stream();
  std::vector<float> values = random_floats(GetParam(), "x", -1e3, 1e3);
  // Ties, subnormals, the largest that rounds down and the smallest that becomes infinite.
  const float edges[] = {1.00390625f,
                         1.01171875f,
                         1e-40f,
                         -0.0f,
                         3.3895314e38f,
                         3.3961775e38f,
                         std::numeric_limits<float>::infinity()};
  for (size_t i = 0; i < std::size(edges) && i < values.size(); ++i) values[i] = edges[i];
  const Tensor x = Tensor::from(stream, {GetParam()}, values);
  const Tensor rounded = Tensor::empty(stream, {GetParam()}, DType::kBf16);
  cast(stream, x, rounded);
  const Tensor wide = Tensor::empty(stream, {GetParam()});
  cast(stream, rounded, wide);
  EXPECT_EQ(wide.to_vector<float>(), as_stored(values, DType::kBf16));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Cast, testing::Values(0, 1, 7, 1024, 71 * 229));

TEST(CastChecks, NeedsOneOfEach) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::zeros(stream, {4});
  EXPECT_THROW(cast(stream, x, Tensor::zeros(stream, {4})), InternalError);
  EXPECT_THROW(cast(stream, x, Tensor::zeros(stream, {5}, DType::kBf16)), InternalError);
}

TEST(BFloat16, KnownRoundings) {
  EXPECT_EQ(BFloat16(1.00390625f).bits, 0x3f80);  // half way to 1.0078125: to even
  EXPECT_EQ(BFloat16(1.01171875f).bits, 0x3f82);
  EXPECT_EQ(BFloat16(3.3961775e38f).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("1")))));
}

}  // namespace
}  // namespace lynceus::kernels
