// Products of weights packed in PackedOrder::kRows: the product itself, and that a row's bits
// depend on no other row, on no thread and not on which rank holds which part of the sum.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <vector>

#include "kernel_test.h"
#include "kernels/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/reference/gemm.h"

namespace lynceus::kernels {
namespace {

struct Case {
  int64_t rows, out, in, parts;
  DType dtype = DType::kF32;
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return fmt::format("{}x{}x{}in{}{}", c.rows, c.out, c.in, c.parts,
                     c.dtype == DType::kBf16 ? "bf16" : "");
}

std::vector<Case> cases() {
  std::vector<Case> all = {{1, 1, 1, 1},     {1, 33, 8, 8},     {8, 71, 229, 1},
                           {13, 96, 344, 8}, {100, 40, 260, 4}, {205, 130, 72, 2},
                           {3, 64, 1024, 8}, {5, 7, 0, 1},      {0, 8, 16, 1}};
  for (size_t i = 0, count = all.size(); i < count; ++i) {
    all.push_back(all[i]);
    all.back().dtype = DType::kBf16;
  }
  return all;
}

Tensor random_tensor(const Stream& stream, const Shape& shape, const std::string& name,
                     DType dtype) {
  return float_tensor(stream, shape, random_floats(shape.elements(), name), dtype);
}

class RowProductTest : public testing::TestWithParam<Case> {
 protected:
  RowProductTest()
      : x_(random_tensor(stream_, {case_.rows, case_.in}, "x", case_.dtype)),
        w_(random_tensor(stream_, {case_.out, case_.in}, "w", case_.dtype)),
        bias_(Tensor::from(stream_, {case_.out},
                           as_stored(random_floats(case_.out, "bias"), case_.dtype))) {}

  Tensor run(const Tensor& x, const PackedWeight& w, const Tensor* bias,
             Activation activation = Activation::kNone) const {
    const Tensor y =
        random_tensor(stream_, {x.dim(0), w.out_features()}, "overwritten", case_.dtype);
    linear_forward(stream_, x, w, bias, y, activation);
    return y;
  }

  Case case_ = GetParam();
  Stream stream_ = test_stream();
  Tensor x_, w_, bias_;
};

TEST_P(RowProductTest, IsTheProduct) {
  const PackedWeight packed(stream_, w_, PackedOrder::kRows, case_.parts);
  EXPECT_EQ(packed.out_features(), case_.out);
  EXPECT_EQ(packed.in_features(), case_.in);
  std::vector<double> expected(static_cast<size_t>(case_.rows * case_.out));
  reference::linear(case_.rows, case_.out, case_.in, widen<double>(to_floats(x_)).data(),
                    widen<double>(to_floats(w_)).data(), widen<double>(to_floats(bias_)).data(),
                    expected.data());
  // A bf16 result is rounded; on devices also before the activation reads it.
  const double rounding = case_.dtype == DType::kBf16 ? 1.0 / 256 : 0;
  expect_close_sums(run(x_, packed, &bias_), expected, 2e-6 + rounding, "with bias");
  std::vector<double> activated = expected, plain = expected;
  for (double& value : activated) value = 0.5 * value * std::erfc(-value / std::sqrt(2.0));
  const std::vector<double> bias = widen<double>(to_floats(bias_));
  for (size_t i = 0; i < plain.size(); ++i) plain[i] -= bias[i % bias.size()];
  expect_close_sums(run(x_, packed, nullptr), plain, 2e-6 + rounding, "without bias");
  expect_close_sums(run(x_, packed, &bias_, Activation::kGelu), activated, 4e-6 + 2 * rounding,
                    "activated");
}

// The logits of a bf16 model: not rounded.
TEST_P(RowProductTest, MayBeF32) {
  if (case_.dtype != DType::kBf16) GTEST_SKIP() << "bf16";
  std::vector<double> expected(static_cast<size_t>(case_.rows * case_.out));
  const std::vector<double> zeros(static_cast<size_t>(case_.out), 0.0);
  reference::linear(case_.rows, case_.out, case_.in, widen<double>(to_floats(x_)).data(),
                    widen<double>(to_floats(w_)).data(), zeros.data(), expected.data());
  const Tensor y = Tensor::empty(stream_, {case_.rows, case_.out});
  linear_forward(stream_, x_, PackedWeight(stream_, w_, PackedOrder::kRows, case_.parts), nullptr,
                 y);
  expect_close_sums(y, expected, 2e-6, "in f32");
}

TEST_P(RowProductTest, BitsOfARowDependOnNoOtherRow) {
  const PackedWeight packed(stream_, w_, PackedOrder::kRows, case_.parts);
  const std::vector<float> together = to_floats(run(x_, packed, &bias_, Activation::kGelu));
  for (int64_t row = 0; row < case_.rows; row += case_.rows < 20 ? 1 : 17)
    for (int64_t count : {int64_t{1}, case_.rows / 3, case_.rows - row}) {
      if (count < 1 || row + count > case_.rows) continue;
      const std::vector<float> some =
          to_floats(run(x_.slice(row, count).clone(stream_), packed, &bias_, Activation::kGelu));
      EXPECT_EQ(some, std::vector<float>(together.begin() + row * case_.out,
                                         together.begin() + (row + count) * case_.out))
          << count << " rows from " << row;
    }
}

TEST_P(RowProductTest, BitsDependOnNoThread) {
  const PackedWeight packed(stream_, w_, PackedOrder::kRows, case_.parts);
  const auto [one, two] =
      with_one_and_two_threads([&] { return to_floats(run(x_, packed, &bias_)); });
  EXPECT_EQ(one, two);
}

// As tensor ranks do it: each has consecutive columns of x and w and as many of the parts; the
// results are added in pairs.
TEST_P(RowProductTest, PartsOnSeveralRanksAddUpToTheSameBits) {
  if (case_.dtype != DType::kF32 || case_.parts < 2 || !stream_.device().is_cpu())
    GTEST_SKIP() << "f32 products of several parts on CPUs";
  const auto columns = [&](const Tensor& matrix, int64_t begin, int64_t count) {
    const auto values = to_floats(matrix);
    std::vector<float> some;
    for (int64_t row = 0; row < matrix.dim(0); ++row)
      for (int64_t i = begin; i < begin + count; ++i)
        some.push_back(values[static_cast<size_t>(row * case_.in + i)]);
    return Tensor::from(stream_, {matrix.dim(0), count}, some);
  };
  const std::vector<float> whole =
      to_floats(run(x_, PackedWeight(stream_, w_, PackedOrder::kRows, case_.parts), nullptr));
  for (int64_t ranks = 2; ranks <= case_.parts; ranks *= 2) {
    std::vector<Tensor> sums;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const int64_t count = case_.in / ranks;
      const PackedWeight own(stream_, columns(w_, rank * count, count), PackedOrder::kRows,
                             case_.parts / ranks);
      sums.push_back(run(columns(x_, rank * count, count), own, nullptr));
    }
    for (size_t step = 1; step < sums.size(); step *= 2)
      for (size_t i = 0; i + step < sums.size(); i += 2 * step)
        add(stream_, sums[i], sums[i + step], sums[i]);
    EXPECT_EQ(to_floats(sums[0]), whole) << ranks << " ranks";
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, RowProductTest, testing::ValuesIn(cases()), name_of_case);

}  // namespace
}  // namespace lynceus::kernels
