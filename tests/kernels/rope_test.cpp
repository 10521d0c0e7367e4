// Rotary embedding against rotate_half written out in f64.
#include "kernels/rope.h"

#include "kernel_test.h"
#include "kernels/reference/rope.h"

namespace lynceus::kernels {
namespace {

struct Case {
  int64_t tokens;
  int64_t heads;
  int64_t head_dim;
};

/// theta^(−2i/d), f64 [head_dim / 2].
Tensor frequencies(const Stream& stream, double theta, int64_t head_dim) {
  std::vector<double> values;
  for (int64_t i = 0; i < head_dim / 2; ++i)
    values.push_back(1.0 /
                     std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
  return Tensor::from(stream, {head_dim / 2}, values);
}

class Rope : public testing::TestWithParam<std::tuple<Case, DType>> {};

TEST_P(Rope, ForwardAndBackward) {
  const auto [shape, dtype] = GetParam();
  const auto [tokens, heads, head_dim] = shape;
  const Stream stream = test_stream();
  const double theta = 10000;
  std::vector<int32_t> positions(static_cast<size_t>(tokens));
  for (int64_t t = 0; t < tokens; ++t) positions[t] = static_cast<int32_t>(t * t % 2047);
  const Tensor cos = Tensor::empty(stream, {tokens, head_dim / 2});
  const Tensor sin = Tensor::empty(stream, {tokens, head_dim / 2});
  rope_table(stream, Tensor::from(stream, {tokens}, positions),
             frequencies(stream, theta, head_dim), cos, sin);

  const auto values = as_stored(random_floats(tokens * heads * head_dim, "x"), dtype);
  const Tensor x = float_tensor(stream, {tokens, heads * head_dim}, values, dtype);
  rope_forward(stream, cos, sin, x);
  const auto input = widen<double>(values);
  std::vector<double> expected(input.size());
  reference::rope(tokens, heads, head_dim, theta, positions.data(), input.data(), expected.data());
  expect_close(x, expected, 3e-7, "x");

  const auto dy = as_stored(random_floats(tokens * heads * head_dim, "dy"), dtype);
  const auto gradient =
      input_gradient({tokens, heads * head_dim}, values, dy, [&](const Complex* p, Complex* y) {
        reference::rope(tokens, heads, head_dim, theta, positions.data(), p, y);
      });
  const Tensor dx = float_tensor(stream, {tokens, heads * head_dim}, dy, dtype);
  rope_backward(stream, cos, sin, dx);
  expect_close(dx, gradient, 3e-7, "dx");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Rope,
                         testing::Combine(testing::Values(Case{1, 1, 2}, Case{0, 2, 8},
                                                          Case{7, 3, 6}, Case{71, 2, 22},
                                                          Case{130, 2, 64}),
                                          testing::Values(DType::kF32, DType::kBf16)));

TEST(RopeTable, AnglesAreExactFarOut) {
  const Stream stream = test_stream();
  const Tensor cos = Tensor::empty(stream, {1, 64});
  const Tensor sin = Tensor::empty(stream, {1, 64});
  rope_table(stream, Tensor::from(stream, {1}, std::vector<int32_t>{1000003}),
             frequencies(stream, 10000, 128), cos, sin);
  const auto cosines = cos.to_vector<float>(), sines = sin.to_vector<float>();
  for (int i = 0; i < 64; ++i) {
    const double angle = 1000003 * std::pow(10000.0, -2.0 * i / 128);
    EXPECT_NEAR(cosines[i], std::cos(angle), 1e-7) << i;
    EXPECT_NEAR(sines[i], std::sin(angle), 1e-7) << i;
  }
}

TEST(RopeChecks, WidthMustHoldWholeHeads) {
  const Stream stream = test_stream();
  const Tensor cos = Tensor::zeros(stream, {2, 4});
  EXPECT_THROW(rope_forward(stream, cos, cos, Tensor::zeros(stream, {2, 12})), InternalError);
  EXPECT_THROW(rope_forward(stream, cos, cos, Tensor::zeros(stream, {3, 16})), InternalError);
}

}  // namespace
}  // namespace lynceus::kernels
