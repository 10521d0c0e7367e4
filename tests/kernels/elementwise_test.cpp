// Sums, residuals and the adapter's epilogue against f64.
#include "kernels/elementwise.h"

#include "kernel_test.h"
#include "kernels/reference/elementwise.h"

namespace lynceus::kernels {
namespace {

constexpr double kTolerance = 1e-6;

class Elementwise : public testing::TestWithParam<Matrix> {
 protected:
  Tensor matrix(const std::vector<float>& v) {
    return float_tensor(stream_, {shape_.rows, shape_.width}, v, shape_.dtype);
  }
  Tensor vector(const std::vector<float>& v) { return Tensor::from(stream_, {shape_.width}, v); }

  Stream stream_ = test_stream();
  Matrix shape_ = GetParam();
  int64_t n_ = shape_.rows * shape_.width;
  std::vector<float> a_ = as_stored(random_floats(n_, "a"), shape_.dtype);
  std::vector<float> b_ = as_stored(random_floats(n_, "b"), shape_.dtype);
  std::vector<float> bias_ = random_floats(shape_.width, "bias");
  std::vector<float> old_ = random_floats(shape_.width, "old");
};

TEST_P(Elementwise, AddInPlace) {
  const Tensor y = matrix(a_);
  add(stream_, y, matrix(b_), y);
  std::vector<float> expected;
  for (size_t i = 0; i < a_.size(); ++i) expected.push_back(a_[i] + b_[i]);
  EXPECT_EQ(to_floats(y), as_stored(expected, shape_.dtype));
}

TEST_P(Elementwise, AddBias) {
  const Tensor y = matrix(a_);
  add_bias(stream_, vector(bias_), y);
  std::vector<float> expected;
  for (int64_t i = 0; i < n_; ++i) expected.push_back(a_[i] + bias_[i % shape_.width]);
  EXPECT_EQ(to_floats(y), as_stored(expected, shape_.dtype));
}

TEST_P(Elementwise, ColumnSumAddsToWhatIsThere) {
  const Tensor sums = vector(old_);
  column_sum(stream_, matrix(a_), sums);
  auto expected = widen<double>(old_);
  for (int64_t i = 0; i < n_; ++i) expected[i % shape_.width] += static_cast<double>(a_[i]);
  expect_close_sums(sums, expected, kTolerance, "sums");
}

TEST_P(Elementwise, AdapterEpilogue) {
  const float factor = 0.75f;
  const Tensor scaling = Tensor::from(stream_, {1}, std::vector<float>{factor});
  const Tensor y = matrix(a_);
  adapter_epilogue_forward(stream_, y, matrix(b_), vector(bias_), scaling, y);  // in place
  const auto residual = widen<double>(a_);
  const auto up = widen<double>(b_);
  const auto bias = widen<double>(bias_);
  std::vector<double> expected(up.size());
  reference::adapter_epilogue(shape_.rows, shape_.width, residual.data(), up.data(), bias.data(),
                              double{factor}, expected.data());
  expect_close(y, expected, kTolerance, "y");

  const auto wide_residual = widen<Complex>(a_);
  const auto wide_up = widen<Complex>(b_);
  const auto wide_bias = widen<Complex>(bias_);
  const auto dy = as_stored(random_floats(n_, "dy"), shape_.dtype);
  const auto run = [&](const Complex* u, const Complex* b, Complex s, Complex* out) {
    reference::adapter_epilogue(shape_.rows, shape_.width, wide_residual.data(), u, b, s, out);
  };
  const auto expected_dup = input_gradient(shape_, b_, dy, [&](const Complex* p, Complex* out) {
    run(p, wide_bias.data(), factor, out);
  });
  const auto expected_db = parameter_gradient(
      bias_, dy, [&](const Complex* p, Complex* out) { run(wide_up.data(), p, factor, out); });
  const auto expected_ds = parameter_gradient({factor}, dy, [&](const Complex* p, Complex* out) {
    run(wide_up.data(), wide_bias.data(), *p, out);
  });
  const Tensor dup = Tensor::empty(stream_, {shape_.rows, shape_.width}, shape_.dtype);
  const Tensor db = vector(old_);
  const Tensor ds = Tensor::from(stream_, {1}, std::vector<float>{0.5f});
  adapter_epilogue_backward(stream_, matrix(b_), vector(bias_), scaling, matrix(dy), dup, &ds, &db);
  expect_close(dup, expected_dup, kTolerance, "dup");
  expect_close_sums(db, plus(old_, expected_db), kTolerance, "dbias");
  expect_close_sums(ds, plus({0.5f}, expected_ds), kTolerance, "dscaling");

  const Tensor again = Tensor::empty(stream_, {shape_.rows, shape_.width}, shape_.dtype);
  adapter_epilogue_backward(stream_, matrix(b_), vector(bias_), scaling, matrix(dy), again, nullptr,
                            nullptr);
  EXPECT_EQ(to_floats(again), to_floats(dup));
}

TEST_P(Elementwise, SumOfSquares) {
  double expected = 0;
  for (const float value : a_) expected += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(sums_of_squares(stream_, std::vector{Tensor::from(stream_, {n_}, a_)})[0], expected,
              1e-12 * expected);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Elementwise, testing::ValuesIn(typed_matrices()),
                         [](const auto& matrix) { return name_of(matrix); });

TEST(SumOfSquares, DoesNotOverflowInF32) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::from(stream, {2}, std::vector<float>{1e30f, 1e-30f});
  EXPECT_NEAR(sums_of_squares(stream, std::vector{x})[0], 1e60, 1e54);
}

TEST(ElementwiseThreads, BitEqual) {
  const Stream stream = test_stream();
  const int64_t rows = 1777;
  const int64_t width = 99;
  const Tensor x = Tensor::from(stream, {rows, width}, random_floats(rows * width, "x"));
  const Tensor dy = Tensor::from(stream, {rows, width}, random_floats(rows * width, "dy"));
  const Tensor bias = Tensor::from(stream, {width}, random_floats(width, "bias"));
  const Tensor scaling = Tensor::from(stream, {1}, std::vector<float>{0.3f});
  const auto [one, two] = with_one_and_two_threads([&] {
    const Tensor sums = Tensor::zeros(stream, {2, width});
    const Tensor db = sums.slice(1, 1);
    const Tensor ds = Tensor::zeros(stream, {1});
    const Tensor dup = Tensor::empty(stream, {rows, width});
    column_sum(stream, x, sums.slice(0, 1));
    adapter_epilogue_backward(stream, x, bias, scaling, dy, dup, &ds, &db);
    return std::tuple(sums.to_vector<float>(), ds.to_vector<float>(),
                      sums_of_squares(stream, std::vector{x})[0]);
  });
  EXPECT_EQ(one, two);
}

}  // namespace
}  // namespace lynceus::kernels
