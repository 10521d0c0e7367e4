// RMSNorm and LayerNorm against their scalar references; gradients by the complex step.
#include "kernels/norm.h"

#include "kernel_test.h"
#include "kernels/reference/norm.h"

namespace lynceus::kernels {
namespace {

constexpr float kEps = 0.01f;  // so large that its absence would show
constexpr double kTolerance = 1e-6;

class Norm : public testing::TestWithParam<Matrix> {
 protected:
  Norm() : shape_(GetParam()) {}
  Tensor matrix(const std::vector<float>& v) {
    return float_tensor(stream_, {shape_.rows, shape_.width}, v, shape_.dtype);
  }
  Tensor vector(const std::vector<float>& v) { return Tensor::from(stream_, {shape_.width}, v); }
  Tensor per_row() { return Tensor::empty(stream_, {shape_.rows}); }
  Tensor result() { return Tensor::empty(stream_, {shape_.rows, shape_.width}, shape_.dtype); }

  Stream stream_ = test_stream();
  Matrix shape_;
  int64_t n_ = shape_.rows * shape_.width;
  // Mean far from zero, so that a one-pass variance would show.
  std::vector<float> x_ = as_stored(random_floats(n_, "x", 2, 6), shape_.dtype);
  std::vector<float> weight_ = random_floats(shape_.width, "weight");
  std::vector<float> bias_ = random_floats(shape_.width, "bias");
  std::vector<float> dy_ = as_stored(random_floats(n_, "dy"), shape_.dtype);
  std::vector<float> residual_ = as_stored(random_floats(n_, "residual"), shape_.dtype);
  std::vector<float> old_ = random_floats(shape_.width, "old");
};

TEST_P(Norm, RmsForward) {
  const Tensor y = result();
  const Tensor inv = per_row();
  rms_norm_forward(stream_, matrix(x_), vector(weight_), kEps, y, &inv);
  const auto x = widen<double>(x_);
  const auto w = widen<double>(weight_);
  std::vector<double> expected(x.size());
  reference::rms_norm(shape_.rows, shape_.width, x.data(), w.data(), double{kEps}, expected.data());
  expect_close(y, expected, kTolerance, "y");
  const auto found = inv.to_vector<float>();
  for (int64_t row = 0; row < shape_.rows; ++row) {
    double squares = 0;
    for (int64_t i = 0; i < shape_.width; ++i)
      squares += x[row * shape_.width + i] * x[row * shape_.width + i];
    EXPECT_NEAR(found[row], 1 / std::sqrt(squares / shape_.width + double{kEps}), 1e-6);
  }
}

TEST_P(Norm, RmsBackward) {
  const Tensor x = matrix(x_);
  const Tensor w = vector(weight_);
  const Tensor inv = per_row();
  rms_norm_forward(stream_, x, w, kEps, result(), &inv);
  const Tensor dx = matrix(residual_);
  const Tensor dw = vector(old_);
  rms_norm_backward(stream_, x, w, inv, matrix(dy_), &dx, &dx, &dw);  // dresidual aliases dx

  const auto weight = widen<Complex>(weight_);
  const auto input = widen<Complex>(x_);
  const auto expected_dx = input_gradient(shape_, x_, dy_, [&](const Complex* p, Complex* y) {
    reference::rms_norm(shape_.rows, shape_.width, p, weight.data(), double{kEps}, y);
  });
  const auto expected_dw = parameter_gradient(weight_, dy_, [&](const Complex* p, Complex* y) {
    reference::rms_norm(shape_.rows, shape_.width, input.data(), p, double{kEps}, y);
  });
  expect_close(dx, plus(residual_, expected_dx), kTolerance, "dx");
  expect_close_sums(dw, plus(old_, expected_dw), kTolerance, "dw");

  const Tensor alone = result();
  rms_norm_backward(stream_, x, w, inv, matrix(dy_), nullptr, &alone, nullptr);
  expect_close(alone, expected_dx, kTolerance, "dx without a residual");
  const Tensor only = vector(old_);
  rms_norm_backward(stream_, x, w, inv, matrix(dy_), nullptr, nullptr, &only);
  EXPECT_EQ(only.to_vector<float>(), dw.to_vector<float>());
}

TEST_P(Norm, LayerForward) {
  const Tensor y = result();
  const Tensor mean = per_row();
  const Tensor inv = per_row();
  layer_norm_forward(stream_, matrix(x_), vector(weight_), vector(bias_), kEps, y, &mean, &inv);
  const auto x = widen<double>(x_);
  const auto w = widen<double>(weight_);
  const auto b = widen<double>(bias_);
  std::vector<double> expected(x.size());
  reference::layer_norm(shape_.rows, shape_.width, x.data(), w.data(), b.data(), double{kEps},
                        expected.data());
  expect_close(y, expected, kTolerance, "y");
}

TEST_P(Norm, LayerBackward) {
  const Tensor x = matrix(x_);
  const Tensor w = vector(weight_);
  const Tensor mean = per_row();
  const Tensor inv = per_row();
  layer_norm_forward(stream_, x, w, vector(bias_), kEps, result(), &mean, &inv);
  const Tensor dx = matrix(residual_);
  const Tensor dw = vector(old_);
  const Tensor db = vector(old_);
  layer_norm_backward(stream_, x, w, mean, inv, matrix(dy_), &dx, &dx, &dw, &db);

  const auto weight = widen<Complex>(weight_);
  const auto bias = widen<Complex>(bias_);
  const auto input = widen<Complex>(x_);
  const auto run = [&](const Complex* in, const Complex* by, const Complex* plus_, Complex* y) {
    reference::layer_norm(shape_.rows, shape_.width, in, by, plus_, double{kEps}, y);
  };
  const auto expected_dx = input_gradient(shape_, x_, dy_, [&](const Complex* p, Complex* y) {
    run(p, weight.data(), bias.data(), y);
  });
  const auto expected_dw = parameter_gradient(
      weight_, dy_, [&](const Complex* p, Complex* y) { run(input.data(), p, bias.data(), y); });
  const auto expected_db = parameter_gradient(
      bias_, dy_, [&](const Complex* p, Complex* y) { run(input.data(), weight.data(), p, y); });
  expect_close(dx, plus(residual_, expected_dx), kTolerance, "dx");
  expect_close_sums(dw, plus(old_, expected_dw), kTolerance, "dw");
  expect_close_sums(db, plus(old_, expected_db), kTolerance, "db");

  const Tensor alone = result();
  layer_norm_backward(stream_, x, w, mean, inv, matrix(dy_), nullptr, &alone, nullptr, nullptr);
  expect_close(alone, expected_dx, kTolerance, "dx without a residual");
}

INSTANTIATE_TEST_SUITE_P(Shapes, Norm, testing::ValuesIn(typed_matrices()),
                         [](const auto& matrix) { return name_of(matrix); });

TEST(NormThreads, BitEqual) {
  const Stream stream = test_stream();
  const int64_t rows = 1000;
  const int64_t width = 200;
  const auto values = random_floats(rows * width, "x");
  const Tensor x = Tensor::from(stream, {rows, width}, values);
  const Tensor w = Tensor::from(stream, {width}, random_floats(width, "weight"));
  const auto [one, two] = with_one_and_two_threads([&] {
    const Tensor y = Tensor::empty(stream, {rows, width});
    const Tensor mean = Tensor::empty(stream, {rows});
    const Tensor inv = Tensor::empty(stream, {rows});
    const Tensor dx = Tensor::empty(stream, {rows, width});
    const Tensor sums = Tensor::zeros(stream, {3, width});
    const Tensor dw = sums.slice(0, 1);
    const Tensor db = sums.slice(1, 1);
    const Tensor rms_dw = sums.slice(2, 1);
    layer_norm_forward(stream, x, w, w, kEps, y, &mean, &inv);
    layer_norm_backward(stream, x, w, mean, inv, y, &x, &dx, &dw, &db);
    rms_norm_backward(stream, x, w, inv, y, nullptr, nullptr, &rms_dw);
    return std::pair(dx.to_vector<float>(), sums.to_vector<float>());
  });
  EXPECT_EQ(one, two);
}

// Large common offset: a variance by E[x²] − mean² would have no correct digit.
TEST(NormAccuracy, OffsetMuchLargerThanDeviation) {
  const Stream stream = test_stream();
  const int64_t width = 4096;
  const auto values = random_floats(width, "x", 1000, 1001);
  const std::vector<float> ones(width, 1.0f);
  const std::vector<float> zeros(width, 0.0f);
  const Tensor y = Tensor::empty(stream, {1, width});
  layer_norm_forward(stream, Tensor::from(stream, {1, width}, values),
                     Tensor::from(stream, {width}, ones), Tensor::from(stream, {width}, zeros),
                     kEps, y, nullptr, nullptr);
  const auto x = widen<double>(values);
  const auto one = widen<double>(ones);
  const auto zero = widen<double>(zeros);
  std::vector<double> expected(x.size());
  reference::layer_norm(1, width, x.data(), one.data(), zero.data(), double{kEps}, expected.data());
  expect_close(y, expected, 1e-5, "y");
}

TEST(NormChecks, WrongShapeIsNamed) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::zeros(stream, {2, 4});
  const Tensor weight = Tensor::zeros(stream, {3});
  try {
    rms_norm_forward(stream, x, weight, kEps, x, nullptr);
    FAIL() << "accepted";
  } catch (const InternalError& error) {
    EXPECT_STREQ(error.what(), "rms_norm_forward: weight is f32 [3], expected f32 of 4 elements");
  }
  EXPECT_THROW(rms_norm_forward(stream, x, Tensor(), kEps, x, nullptr), InternalError);
}

}  // namespace
}  // namespace lynceus::kernels
