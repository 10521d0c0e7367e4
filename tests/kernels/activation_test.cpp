// SiLU, SwiGLU, GELU against f64 references, gradients by the complex step, and the accuracy of the
// vector functions that they use.
#include "kernels/activation.h"

#include "kernel_test.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/reference/activation.h"

namespace lynceus::kernels {
namespace {

constexpr double kTolerance = 3e-7;

/// f(values) with the imaginary step in each: values and derivatives of an element-wise function.
template <typename Function>
std::pair<std::vector<double>, std::vector<double>> differentiate(const std::vector<float>& values,
                                                                  Function f) {
  std::vector<double> y;
  std::vector<double> derivative;
  for (const float x : values) {
    const Complex result = f(Complex(x, kStep));
    y.push_back(result.real());
    derivative.push_back(result.imag() / kStep);
  }
  return {y, derivative};
}

std::vector<double> times(std::vector<double> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] *= static_cast<double>(b[i]);
  return a;
}

class Activation : public testing::TestWithParam<Matrix> {
 protected:
  Tensor tensor(const std::vector<float>& v) {
    return float_tensor(stream_, {GetParam().rows, GetParam().width}, v, GetParam().dtype);
  }
  Stream stream_ = test_stream();
  int64_t n_ = GetParam().rows * GetParam().width;
  std::vector<float> x_ = as_stored(random_floats(n_, "x", -12, 12), GetParam().dtype);
  std::vector<float> up_ = as_stored(random_floats(n_, "up"), GetParam().dtype);
  std::vector<float> dy_ = as_stored(random_floats(n_, "dy"), GetParam().dtype);
};

TEST_P(Activation, Silu) {
  const auto [y, derivative] = differentiate(x_, reference::silu<Complex>);
  const Tensor out = tensor(x_);
  silu_forward(stream_, out, out);
  expect_close(out, y, kTolerance, "y");
  const Tensor dx = tensor(dy_);
  silu_backward(stream_, tensor(x_), dx, dx);  // dx aliases dy
  expect_close(dx, times(derivative, dy_), 2 * kTolerance, "dx");
}

TEST_P(Activation, Gelu) {
  const auto [y, derivative] = differentiate(x_, reference::gelu<Complex>);
  const Tensor out = tensor(x_);
  gelu_forward(stream_, out, out);
  // The host's own error function is better than a device's.
  expect_close(out, y, stream_.device().is_cpu() ? 1e-7 : kTolerance, "y");
  const Tensor dx = tensor(dy_);
  gelu_backward(stream_, tensor(x_), dx, dx);
  expect_close(dx, times(derivative, dy_), 2 * kTolerance, "dx");
}

TEST_P(Activation, Swiglu) {
  std::vector<double> y;
  std::vector<double> dgate;
  std::vector<double> dup;
  for (size_t i = 0; i < x_.size(); ++i) {
    const Complex by_gate = reference::swiglu(Complex(x_[i], kStep), Complex(up_[i]));
    const Complex by_up = reference::swiglu(Complex(x_[i]), Complex(up_[i], kStep));
    y.push_back(by_gate.real());
    dgate.push_back(by_gate.imag() / kStep * static_cast<double>(dy_[i]));
    dup.push_back(by_up.imag() / kStep * static_cast<double>(dy_[i]));
  }
  const Tensor out = Tensor::empty(stream_, {n_}, GetParam().dtype);
  swiglu_forward(stream_, tensor(x_), tensor(up_), out);
  expect_close(out, y, kTolerance, "y");
  const Tensor dg = tensor(dy_);  // aliases dy
  const Tensor du = tensor(dy_);
  swiglu_backward(stream_, tensor(x_), tensor(up_), dg, dg, du);
  expect_close(dg, dgate, 2 * kTolerance, "dgate");
  expect_close(du, dup, kTolerance, "dup");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Activation, testing::ValuesIn(typed_matrices()),
                         [](const auto& matrix) { return name_of(matrix); });

TEST(VectorMath, ExpIsGoodToOneUlp) {
  for (int i = 0; i <= 400000; ++i) {
    const float x = -87.0f + static_cast<float>(i) * (175.7f / 400000.0f);
    const double expected = std::exp(static_cast<double>(x));
    ASSERT_NEAR(cpu::vector_exp(x), expected, 1.2e-7 * expected) << x;
  }
}

TEST(VectorMath, ExpAtTheEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(cpu::vector_exp(-infinity), 0.0f);
  EXPECT_EQ(cpu::vector_exp(-1e30f), 0.0f);
  EXPECT_EQ(cpu::vector_exp(0.0f), 1.0f);
  EXPECT_EQ(cpu::vector_exp(infinity), infinity);
  EXPECT_EQ(cpu::vector_exp(90.0f), infinity);
  EXPECT_TRUE(std::isnan(cpu::vector_exp(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_NEAR(cpu::vector_exp(-100.0f), std::exp(-100.0), 1.5e-45);  // below the normal range
}

// Relative, on the side where 1 + erf cancels.
TEST(VectorMath, GeluKeepsDigitsForNegativeInputs) {
  for (int i = 0; i < 100000; ++i) {
    const float x = static_cast<float>(i) * -1.2e-4f;
    const double wide = static_cast<double>(x);
    const double expected = wide * 0.5 * std::erfc(-wide / std::sqrt(2.0));
    ASSERT_NEAR(cpu::vector_gelu(x), expected, 6e-7 * std::abs(expected)) << x;
  }
}

TEST(VectorMath, SaturatesWithoutNan) {
  for (const float x : {-3e38f, -1e20f, -100.0f, 100.0f, 1e20f, 3e38f}) {
    const float expected = x < 0 ? 0.0f : x;
    EXPECT_EQ(cpu::vector_gelu(x), expected) << x;
    EXPECT_EQ(cpu::vector_gelu_derivative(x), x < 0 ? 0.0f : 1.0f) << x;
    EXPECT_NEAR(x * cpu::vector_sigmoid(x), expected, 1e-30) << x;
  }
}

}  // namespace
}  // namespace lynceus::kernels
