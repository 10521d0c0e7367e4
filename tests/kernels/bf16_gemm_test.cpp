// bf16 products against scalar loops in f64, at odd and at larger shapes, plain and packed; and
// which products of the linear maps use them. On a processor without bf16 products the tests run on
// the stand-in for one that has them (tests/bf16).
#include "kernels/cpu/bf16_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <vector>

#include "kernel_test.h"
#include "kernels/gemm.h"
#include "kernels/reference/gemm.h"

namespace lynceus::kernels {
namespace {

using cpu::Bf16Gemm;

struct Product {
  int64_t m, n, k;
};

std::vector<double> widened(const Tensor& tensor) {
  const auto values = to_floats(tensor);
  return {values.begin(), values.end()};
}

Tensor random_tensor(const Stream& stream, int64_t rows, int64_t cols, const std::string& name,
                     DType dtype = DType::kBf16) {
  return float_tensor(stream, {rows, cols}, random_floats(rows * cols, name), dtype);
}

Tensor transposed(const Stream& stream, const Tensor& tensor) {
  const int64_t rows = tensor.dim(0), cols = tensor.cols();
  const auto values = to_floats(tensor);
  std::vector<float> result(values.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) result[c * rows + r] = values[r * cols + c];
  return float_tensor(stream, {cols, rows}, result, tensor.dtype());
}

/// Terms are at most 4, a sum's rounding error a random walk in f32; a bf16 result is rounded once.
void expect_sum(const Tensor& found, const std::vector<double>& expected, int64_t terms) {
  const double f32 = 2e-7 * 4 * std::sqrt(static_cast<double>(terms) + 1.0);
  const auto values = to_floats(found);
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const double rounding =
        found.dtype() == DType::kBf16 ? std::abs(expected[i]) / 256 : 2e-7 * std::abs(expected[i]);
    ASSERT_NEAR(static_cast<double>(values[i]), expected[i], f32 + rounding) << "element " << i;
  }
}

class Bf16GemmTest : public testing::TestWithParam<std::tuple<Product, int>> {
 protected:
  Bf16GemmTest() { omp_set_num_threads(std::get<1>(GetParam())); }
  ~Bf16GemmTest() override { omp_set_num_threads(threads_before_); }
  void SetUp() override {
    if (!cpu::has_bf16_products()) GTEST_SKIP() << "this processor does not multiply bf16";
  }

  /// a·b, plus `bias` and `start` if given.
  std::vector<double> expected(const Tensor* bias, const Tensor* start) const {
    std::vector<double> result(static_cast<size_t>(m_ * n_));
    const auto added = bias == nullptr ? std::vector<double>() : widened(*bias);
    reference::linear(m_, n_, k_, widened(a_).data(), widened(b_transposed_).data(),
                      bias == nullptr ? nullptr : added.data(), result.data());
    const auto before = start == nullptr ? std::vector<double>() : widened(*start);
    for (size_t i = 0; i < before.size(); ++i) result[i] += before[i];
    return result;
  }

  const int threads_before_ = omp_get_max_threads();
  const int64_t m_ = std::get<0>(GetParam()).m, n_ = std::get<0>(GetParam()).n,
                k_ = std::get<0>(GetParam()).k;
  Stream stream_;
  const Tensor a_ = random_tensor(stream_, m_, k_, "a");
  const Tensor b_transposed_ = random_tensor(stream_, n_, k_, "b");
  const Tensor bias_ = random_tensor(stream_, 1, n_, "bias", DType::kF32).reshape({n_});
};

TEST_P(Bf16GemmTest, ForwardAddsTheBiasAndActivates) {
  const auto packed = cpu::pack_bf16(stream_, b_transposed_);
  ASSERT_NE(packed, nullptr);
  EXPECT_EQ(to_floats(cpu::unpack_bf16(stream_, *packed)), to_floats(b_transposed_));
  std::vector<double> activated = expected(&bias_, nullptr);
  for (double& value : activated) value = 0.5 * value * std::erfc(-value / std::numbers::sqrt2);
  for (const bool use_packed : {false, true}) {
    SCOPED_TRACE(use_packed ? "packed" : "plain");
    const auto run = [&](const Tensor* bias, bool gelu) {
      const Tensor y = random_tensor(stream_, m_, n_, "overwritten");
      const Bf16Gemm problem{.m = m_, .n = n_, .k = k_, .b_transposed = true, .gelu = gelu};
      EXPECT_TRUE(use_packed ? cpu::bf16_gemm(stream_, problem, a_, *packed, bias, y)
                             : cpu::bf16_gemm(stream_, problem, a_, b_transposed_, bias, y));
      return y;
    };
    expect_sum(run(nullptr, false), expected(nullptr, nullptr), k_);
    expect_sum(run(&bias_, false), expected(&bias_, nullptr), k_);
    expect_sum(run(&bias_, true), activated, k_);
    EXPECT_EQ(to_floats(run(&bias_, true)), to_floats(run(&bias_, true))) << "not reproducible";
  }
}

TEST_P(Bf16GemmTest, GradientsAddUp) {
  const Tensor b = transposed(stream_, b_transposed_), a_transposed = transposed(stream_, a_);
  for (const DType dtype : {DType::kBf16, DType::kF32})
    for (const bool transpose_a : {false, true})
      for (const bool accumulate : {false, true}) {
        const Tensor start = random_tensor(stream_, m_, n_, "start", dtype);
        const Bf16Gemm problem{
            .m = m_, .n = n_, .k = k_, .a_transposed = transpose_a, .accumulate = accumulate};
        const auto run = [&] {
          const Tensor c = start.clone(stream_);
          EXPECT_TRUE(
              cpu::bf16_gemm(stream_, problem, transpose_a ? a_transposed : a_, b, nullptr, c));
          return c;
        };
        expect_sum(run(), expected(nullptr, accumulate ? &start : nullptr), k_);
        EXPECT_EQ(to_floats(run()), to_floats(run())) << "not reproducible";
      }
}

std::string name_of_case(const testing::TestParamInfo<Bf16GemmTest::ParamType>& info) {
  const Product& shape = std::get<0>(info.param);
  return fmt::format("{}x{}x{}threads{}", shape.m, shape.n, shape.k, std::get<1>(info.param));
}

constexpr Product kShapes[] = {{1, 1, 1},   {1, 33, 70},   {37, 83, 31},
                               {3, 5, 129}, {16, 48, 100}, {20, 96, 65}};

INSTANTIATE_TEST_SUITE_P(Shapes, Bf16GemmTest,
                         testing::Combine(testing::ValuesIn(kShapes), testing::Values(1, 2)),
                         name_of_case);

// 64 rows are enough of this weight, 2 are not.
constexpr int64_t kOut = 256, kIn = 260;

class Bf16LinearTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpu::has_bf16_products()) GTEST_SKIP() << "this processor does not multiply bf16";
  }
  size_t kept() const { return cpu::kept_bf16_products(stream_); }

  Stream stream_;
  const Tensor w_ = random_tensor(stream_, kOut, kIn, "w");
};

TEST_F(Bf16LinearTest, LargeProductsAreMultipliedInBf16AndKept) {
  for (const int64_t rows : {2, 64}) {
    const size_t before = kept();
    const Tensor x = random_tensor(stream_, rows, kIn, "x");
    const Tensor dy = random_tensor(stream_, rows, kOut, "dy");
    const Tensor y = Tensor::empty(stream_, {rows, kOut}, DType::kBf16);
    const Tensor dx = Tensor::empty(stream_, {rows, kIn}, DType::kBf16);
    const Tensor dw = Tensor::zeros(stream_, {kOut, kIn});
    for (int time = 0; time < 2; ++time) {
      linear_forward(stream_, x, w_, nullptr, y);
      linear_backward_input(stream_, dy, w_, dx);
      linear_backward_weight(stream_, dy, x, dw, nullptr);
    }
    EXPECT_EQ(kept() - before, rows == 64 ? 3u : 0u);
    std::vector<double> wanted(static_cast<size_t>(rows * kOut));
    reference::linear<double>(rows, kOut, kIn, widened(x).data(), widened(w_).data(), nullptr,
                              wanted.data());
    expect_sum(y, wanted, kIn);
    wanted.resize(static_cast<size_t>(rows * kIn));
    reference::linear<double>(rows, kIn, kOut, widened(dy).data(),
                              widened(transposed(stream_, w_)).data(), nullptr, wanted.data());
    expect_sum(dx, wanted, kOut);
    wanted.resize(static_cast<size_t>(kOut * kIn));
    reference::linear<double>(kOut, kIn, rows, widened(transposed(stream_, dy)).data(),
                              widened(transposed(stream_, x)).data(), nullptr, wanted.data());
    for (double& value : wanted) value *= 2;
    expect_sum(dw, wanted, 2 * rows);
  }
}

// The stand-in has no product of seven rows.
TEST_F(Bf16LinearTest, WhatTheLibraryLacksIsWidened) {
  const int64_t rows = 7, out = 1024, in = 640;
  const Tensor x = random_tensor(stream_, rows, in, "x");
  const Tensor w = random_tensor(stream_, out, in, "w");
  const Tensor y = Tensor::empty(stream_, {rows, out}, DType::kBf16);
  std::vector<double> wanted(static_cast<size_t>(rows * out));
  reference::linear<double>(rows, out, in, widened(x).data(), widened(w).data(), nullptr,
                            wanted.data());
  for (int time = 0; time < 2; ++time) {
    y.fill_zero();
    linear_forward(stream_, x, w, nullptr, y);
    expect_sum(y, wanted, in);
  }
}

TEST_F(Bf16LinearTest, F32IsNotTouched) {
  const Tensor x = random_tensor(stream_, 64, kIn, "x", DType::kF32);
  const Tensor w = random_tensor(stream_, kOut, kIn, "w", DType::kF32);
  linear_forward(stream_, x, w, nullptr, Tensor::empty(stream_, {64, kOut}));
  EXPECT_EQ(kept(), 0u);
}

TEST_F(Bf16LinearTest, AnotherNumberOfThreadsIsAnotherProduct) {
  const int before = omp_get_max_threads();
  const Tensor x = random_tensor(stream_, 64, kIn, "x");
  const Tensor y = Tensor::empty(stream_, {64, kOut}, DType::kBf16);
  for (const int threads : {1, 2, 1}) {
    omp_set_num_threads(threads);
    linear_forward(stream_, x, w_, nullptr, y);
  }
  omp_set_num_threads(before);
  EXPECT_EQ(kept(), 2u);
}

TEST_F(Bf16LinearTest, APackedWeightOutlivesThePlainOneWhateverTheRows) {
  Tensor w = random_tensor(stream_, kOut, kIn, "w").clone(stream_, MemoryOwner::kFrozenWeight);
  const PackedWeight packed(stream_, w);
  ASSERT_TRUE(packed.is_packed_bf16());
  w.fill_zero();
  w = Tensor();
  EXPECT_EQ(stream_.pool()->live_bytes(MemoryOwner::kFrozenWeight), packed.bytes());
  EXPECT_GE(packed.bytes(), static_cast<size_t>(kOut * kIn * 2));
  for (const int64_t rows : {0, 1, 2, 7, 64}) {
    const Tensor x = random_tensor(stream_, rows, kIn, "x");
    const Tensor y = Tensor::empty(stream_, {rows, kOut}, DType::kBf16);
    linear_forward(stream_, x, packed, nullptr, y);
    std::vector<double> wanted(static_cast<size_t>(rows * kOut));
    reference::linear<double>(rows, kOut, kIn, widened(x).data(), widened(w_).data(), nullptr,
                              wanted.data());
    expect_sum(y, wanted, kIn);
  }
  const PackedWeight small(stream_, random_tensor(stream_, 16, 16, "small"));
  EXPECT_FALSE(small.is_packed_bf16());
}

TEST(Bf16ProductsTest, AreWhatTheProcessorHasUnlessTheEnvironmentSaysAvx2) {
  const char* asked = std::getenv("LYNCEUS_ISA");
  if (asked != nullptr && std::string(asked) == "avx2") {
    EXPECT_FALSE(cpu::has_bf16_products());
    EXPECT_FALSE(cpu::pays_in_bf16(4096, 4096, 4096));
  }
  EXPECT_EQ(cpu::pays_in_bf16(4096, 4096, 4096), cpu::has_bf16_products());
  EXPECT_FALSE(cpu::pays_in_bf16(1, 1, 1));
}

}  // namespace
}  // namespace lynceus::kernels
