// Linear maps against scalar loops in f64, at odd and at realistic shapes, plain and packed, with
// one thread and several.
#include "kernels/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <vector>

#include "core/random.h"
#include "kernel_test.h"
#include "kernels/cpu/gemm.h"
#include "kernels/reference/activation.h"
#include "kernels/reference/gemm.h"

namespace lynceus::kernels {
namespace {

using testing::HasSubstr;

struct LinearShape {
  int64_t rows, out, in;
};

Tensor normal(const Stream& stream, const Shape& shape, std::string_view name,
              DType dtype = DType::kF32) {
  const CounterRandom random(7, name);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return float_tensor(stream, shape, values, dtype);
}

std::vector<double> widened(const Tensor& tensor) {
  const auto values = to_floats(tensor);
  return {values.begin(), values.end()};
}

/// A sum of `terms` products of standard normals is about sqrt(terms), its rounding error a random
/// walk of as many steps; a bf16 result is rounded as well.
void expect_close(const Tensor& found, const std::vector<double>& expected, int64_t terms,
                  int roundings = 1) {
  const auto values = to_floats(found);
  ASSERT_EQ(values.size(), expected.size());
  const double size = std::sqrt(static_cast<double>(terms) + 1.0);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(values[i]) - expected[i]) /
                                (size + std::abs(expected[i])));
  EXPECT_LT(worst, 2e-7 * size + (found.dtype() == DType::kBf16 ? roundings / 256.0 : 0));
}

std::vector<double> transposed(int64_t rows, int64_t cols, const std::vector<double>& values) {
  std::vector<double> result(values.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c)
      result[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * cols + c)];
  return result;
}

class LinearTest : public testing::TestWithParam<std::tuple<LinearShape, int, DType>> {
 protected:
  LinearTest() : threads_before_(omp_get_max_threads()) {
    omp_set_num_threads(std::get<1>(GetParam()));
    const auto [rows, out, in] = shape_;
    x_ = normal(stream_, {rows, in}, "x", dtype_);
    w_ = normal(stream_, {out, in}, "w", dtype_);
    // Devices round a bias to the result's type.
    const DType bias_dtype = stream_.device().is_cpu() ? DType::kF32 : dtype_;
    bias_ = Tensor::from(stream_, {out}, to_floats(normal(stream_, {out}, "bias", bias_dtype)));
    dy_ = normal(stream_, {rows, out}, "dy", dtype_);
  }
  ~LinearTest() override { omp_set_num_threads(threads_before_); }

  int threads_before_;
  LinearShape shape_ = std::get<0>(GetParam());
  DType dtype_ = std::get<2>(GetParam());
  Stream stream_ = test_stream();
  Tensor x_, w_, bias_, dy_;
};

TEST_P(LinearTest, ForwardIsTheProductPlusBias) {
  const auto [rows, out, in] = shape_;
  std::vector<double> expected(static_cast<size_t>(rows * out));
  reference::linear(rows, out, in, widened(x_).data(), widened(w_).data(), widened(bias_).data(),
                    expected.data());
  std::vector<double> without_bias = expected;
  for (size_t i = 0; i < expected.size(); ++i)
    without_bias[i] -= widened(bias_)[i % static_cast<size_t>(out)];
  std::vector<double> activated = expected;
  for (double& value : activated) value = 0.5 * value * std::erfc(-value / std::numbers::sqrt2);

  const PackedWeight packed(stream_, w_);
  const bool transposes = stream_.device().is_cpu() && dtype_ == DType::kF32;
  const int64_t line = transposes && out % 1024 == 0 ? 16 : 0;
  EXPECT_EQ(packed.bytes(), static_cast<size_t>((out + line) * in) * size_of(dtype_));
  for (const bool use_packed : {false, true}) {
    SCOPED_TRACE(use_packed ? "packed" : "plain");
    const auto run = [&](const Tensor* bias, Activation activation) {
      const Tensor y = normal(stream_, {rows, out}, "overwritten", dtype_);
      if (use_packed)
        linear_forward(stream_, x_, packed, bias, y, activation);
      else
        linear_forward(stream_, x_, w_, bias, y, activation);
      return y;
    };
    expect_close(run(&bias_, Activation::kNone), expected, in);
    expect_close(run(nullptr, Activation::kNone), without_bias, in);
    // On devices the product is rounded before the activation reads it.
    expect_close(run(&bias_, Activation::kGelu), activated, in, stream_.device().is_cpu() ? 1 : 2);
    EXPECT_EQ(to_floats(run(&bias_, Activation::kGelu)), to_floats(run(&bias_, Activation::kGelu)))
        << "not reproducible";
  }
}

TEST_P(LinearTest, BackwardInputIsTheTransposedMap) {
  const auto [rows, out, in] = shape_;
  const auto w_transposed = transposed(out, in, widened(w_));
  std::vector<double> expected(static_cast<size_t>(rows * in));
  reference::linear<double>(rows, in, out, widened(dy_).data(), w_transposed.data(), nullptr,
                            expected.data());
  const Tensor dx = normal(stream_, {rows, in}, "start", dtype_);
  std::vector<double> sum = widened(dx);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += expected[i];
  linear_backward_input(stream_, dy_, w_, dx, true);
  expect_close(dx, sum, out);
  linear_backward_input(stream_, dy_, w_, dx, false);
  expect_close(dx, expected, out);
}

TEST_P(LinearTest, BackwardWeightAddsTheOuterProducts) {
  const auto [rows, out, in] = shape_;
  const auto dy_transposed = transposed(rows, out, widened(dy_));
  const auto x_transposed = transposed(rows, in, widened(x_));
  std::vector<double> expected(static_cast<size_t>(out * in));
  reference::linear<double>(out, in, rows, dy_transposed.data(), x_transposed.data(), nullptr,
                            expected.data());
  const auto run = [&](const Tensor& dw, const Tensor* dbias) {
    linear_backward_weight(stream_, dy_, x_, dw, dbias);
  };
  const Tensor dw = normal(stream_, {out, in}, "dw");
  const Tensor dbias = normal(stream_, {out}, "dbias");
  const Tensor again = dw.clone(stream_);
  const std::vector<double> dw_before = widened(dw);
  std::vector<double> expected_bias = widened(dbias);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o)
      expected_bias[static_cast<size_t>(o)] += widened(dy_.slice(r, 1))[static_cast<size_t>(o)];
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += dw_before[i];
  run(dw, &dbias);
  expect_close(dw, expected, rows);
  expect_close(dbias, expected_bias, rows);
  run(again, nullptr);
  EXPECT_EQ(dw.to_vector<float>(), again.to_vector<float>()) << "not reproducible";
}

std::string name_of_case(const testing::TestParamInfo<LinearTest::ParamType>& info) {
  const LinearShape& shape = std::get<0>(info.param);
  return fmt::format("{}x{}x{}threads{}{}", shape.rows, shape.out, shape.in,
                     std::get<1>(info.param), name_of(std::get<2>(info.param)));
}

constexpr LinearShape kShapes[] = {{1, 1, 1},     {1, 33, 70},    {71, 229, 31}, {3, 5, 129},
                                   {64, 48, 200}, {130, 20, 257}, {300, 33, 70}, {65, 7, 1024},
                                   {3, 1024, 24}, {3, 4, 0},      {3, 0, 5}};

INSTANTIATE_TEST_SUITE_P(Shapes, LinearTest,
                         testing::Combine(testing::ValuesIn(kShapes), testing::Values(1, 2, 5),
                                          testing::Values(DType::kF32, DType::kBf16)),
                         name_of_case);

// The algorithm for dw depends on the shape; this shape has long, page-strided rows.
TEST(WeightGradientTest, TallAndNarrowAgreesWithAnotherOrderOfSummation) {
  const Stream stream = test_stream();
  const int64_t rows = 1030, out = 512, in = 40;
  const Tensor x = normal(stream, {rows, in}, "x");
  const Tensor dy = normal(stream, {rows, out}, "dy");
  const Tensor dw = Tensor::zeros(stream, {out, in});
  linear_backward_weight(stream, dy, x, dw, nullptr);
  linear_backward_weight(stream, dy, x, dw, nullptr);
  const auto narrow = widened(x), wide = widened(dy);
  std::vector<double> expected(static_cast<size_t>(out * in));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i)
        expected[static_cast<size_t>(o * in + i)] +=
            2.0 * wide[static_cast<size_t>(r * out + o)] * narrow[static_cast<size_t>(r * in + i)];
  expect_close(dw, expected, rows);
}

// A large weight and few rows: both gradients go through our own blocks.
TEST(LinearBlocksTest, FewRowsOfALargeWeight) {
  const Stream stream = test_stream();
  const int64_t rows = 33, out = 2050, in = 1024;
  const Tensor x = normal(stream, {rows, in}, "x");
  const Tensor dy = normal(stream, {rows, out}, "dy");
  const Tensor w = normal(stream, {out, in}, "w");
  const Tensor dw = normal(stream, {out, in}, "dw");
  const Tensor dx = normal(stream, {rows, in}, "dx");
  std::vector<double> expected_dw = widened(dw);
  std::vector<double> expected_dx(static_cast<size_t>(rows * in));
  const auto x64 = widened(x), dy64 = widened(dy), w64 = widened(w);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o)
      for (int64_t i = 0; i < in; ++i) {
        const double d = dy64[static_cast<size_t>(r * out + o)];
        expected_dw[static_cast<size_t>(o * in + i)] += d * x64[static_cast<size_t>(r * in + i)];
        expected_dx[static_cast<size_t>(r * in + i)] += d * w64[static_cast<size_t>(o * in + i)];
      }
  linear_backward_weight(stream, dy, x, dw, nullptr);
  linear_backward_input(stream, dy, w, dx);
  expect_close(dw, expected_dw, rows);
  expect_close(dx, expected_dx, out);
}

TEST(LinearEdgeTest, NoRowsChangeNothing) {
  const Stream stream = test_stream();
  const Tensor x = Tensor::empty(stream, {0, 6});
  const Tensor y = Tensor::empty(stream, {0, 4});
  const Tensor w = normal(stream, {4, 6}, "w");
  const Tensor dw = normal(stream, {4, 6}, "dw");
  const Tensor dbias = normal(stream, {4}, "dbias");
  const auto dw_before = dw.to_vector<float>();
  const auto dbias_before = dbias.to_vector<float>();
  linear_forward(stream, x, w, &dbias, y, Activation::kGelu);
  linear_backward_input(stream, y, w, x, true);
  linear_backward_weight(stream, y, x, dw, &dbias);
  EXPECT_EQ(dw.to_vector<float>(), dw_before);
  EXPECT_EQ(dbias.to_vector<float>(), dbias_before);
}

// Rows of a larger tensor begin at any alignment. The first products of a shape have well-aligned
// operands; later ones must not assume this.
TEST(LinearEdgeTest, OperandsMayBeginAnywhere) {
  const Stream stream = test_stream();
  const int64_t rows = 5, out = 7, in = 9;
  const auto run = [&](const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& dy,
                       const std::vector<Tensor>& results) {
    linear_forward(stream, x, w, &bias, results[0]);
    linear_backward_input(stream, dy, w, results[1]);
    linear_backward_weight(stream, dy, x, results[2], nullptr);
  };
  const auto moved = [](const Tensor& whole) { return whole.slice(1, whole.dim(0) - 1); };
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    SCOPED_TRACE(name_of(dtype));
    const Tensor x = moved(normal(stream, {rows + 1, in}, "x", dtype));
    const Tensor w = moved(normal(stream, {out + 1, in}, "w", dtype));
    const Tensor bias = moved(normal(stream, {out + 1}, "bias"));
    const Tensor dy = moved(normal(stream, {rows + 1, out}, "dy", dtype));
    const auto results = [&] {
      return std::vector<Tensor>{Tensor::empty(stream, {rows + 1, out}, dtype),
                                 Tensor::empty(stream, {rows + 1, in}, dtype),
                                 Tensor::zeros(stream, {out + 1, in})};
    };
    std::vector<Tensor> expected = results(), found = results(), biased = results();
    for (Tensor& result : expected) result = result.slice(0, result.dim(0) - 1);
    for (Tensor& result : found) result = moved(result);
    for (Tensor& result : biased) result = result.slice(0, result.dim(0) - 1);
    const Tensor aligned_x = x.clone(stream), aligned_w = w.clone(stream);
    const Tensor aligned_dy = dy.clone(stream);
    run(aligned_x, aligned_w, bias.clone(stream), aligned_dy, expected);
    run(x, w, bias, dy, found);
    run(aligned_x, aligned_w, bias, aligned_dy, biased);
    for (size_t i = 0; i < found.size(); ++i) {
      expect_close(found[i], widened(expected[i]), in, 2);
      expect_close(biased[i], widened(expected[i]), in, 2);
    }
  }
}

TEST(LinearEdgeTest, AProductOverNothingIsZero) {
  const float bias = 0.5f;
  std::vector<float> c = {3, 4};
  cpu::gemm(Stream(), 2, 1, 0, {nullptr, 1}, {nullptr, 1}, true, c.data());
  EXPECT_EQ(c, (std::vector<float>{3, 4}));
  cpu::gemm(Stream(), 2, 1, 0, {nullptr, 1}, {nullptr, 1}, false, c.data(), {&bias, false});
  EXPECT_EQ(c, (std::vector<float>{0.5f, 0.5f}));
}

TEST(LinearEdgeTest, WrongShapesAreNamed) {
  const Stream stream = test_stream();
  const Tensor x = normal(stream, {2, 6}, "x");
  const Tensor y = normal(stream, {2, 4}, "y");
  const Tensor w = normal(stream, {4, 5}, "w");
  const PackedWeight packed(stream, normal(stream, {4, 6}, "w"));
  EXPECT_THAT(error_of([&] { linear_forward(stream, x, w, nullptr, y); }),
              HasSubstr("linear_forward: x is f32 [2, 6], expected f32 [2, 5]"));
  EXPECT_THAT(error_of([&] { linear_forward(stream, x, packed, &x, y); }), HasSubstr("bias"));
  EXPECT_THAT(error_of([&] { linear_backward_input(stream, y, w, x); }),
              HasSubstr("linear_backward_input: dx is f32 [2, 6], expected f32 [2, 5]"));
  EXPECT_THAT(error_of([&] { linear_forward(stream, x, PackedWeight(), nullptr, y); }),
              HasSubstr("undefined"));
}

TEST(PackedWeightTest, OutlivesThePlainTensorAndIsCountedAsFrozen) {
  const Stream stream = test_stream();
  const Tensor x = normal(stream, {3, 20}, "x");
  const Tensor y = Tensor::empty(stream, {3, 10});
  const Tensor expected = Tensor::empty(stream, {3, 10});
  Tensor w = normal(stream, {10, 20}, "w").clone(stream, MemoryOwner::kFrozenWeight);
  linear_forward(stream, x, w, nullptr, expected);
  const PackedWeight packed(stream, w);
  if (stream.device().is_cpu()) w.fill_zero();  // devices share the plain tensor
  w = Tensor();
  linear_forward(stream, x, packed, nullptr, y);
  const auto found = y.to_vector<float>(), wanted = expected.to_vector<float>();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], wanted[i], 1e-5);
  EXPECT_EQ(stream.pool()->live_bytes(MemoryOwner::kFrozenWeight), 10 * 20 * sizeof(float));
}

}  // namespace
}  // namespace lynceus::kernels
