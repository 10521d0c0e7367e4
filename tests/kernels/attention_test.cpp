// Attention against scalar loops in f64, its gradients against the complex step on the same loops:
// packed sequences of many lengths, causal and not, grouped key heads, odd head sizes.
#include "kernels/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "core/random.h"
#include "kernel_test.h"
#include "kernels/cpu/small_gemm.h"
#include "kernels/reference/attention.h"

namespace lynceus::kernels {
namespace {

using testing::HasSubstr;

struct Case {
  std::string name;
  AttentionShape shape;
  std::vector<int32_t> q_begin;
  std::vector<int32_t> k_begin;
};

void PrintTo(const Case& value, std::ostream* stream) { *stream << value.name; }

AttentionShape make_shape(int64_t heads, int64_t kv_heads, int64_t head_dim, bool causal) {
  return {heads, kv_heads, head_dim, 1.0f / std::sqrt(static_cast<float>(head_dim)), causal};
}

std::vector<Case> cases() {
  return {
      {"OneOfEverything", make_shape(1, 1, 1, false), {0, 1}, {0, 1}},
      {"CausalLengths", make_shape(2, 2, 16, true), {0, 7, 7, 8, 73}, {0, 7, 7, 8, 73}},
      {"CausalGroupedOddHead", make_shape(6, 2, 11, true), {0, 5, 66}, {0, 5, 66}},
      {"CrossLengths", make_shape(3, 3, 8, false), {0, 4, 4, 20, 21}, {0, 9, 12, 12, 90}},
      {"ManyKeys", make_shape(1, 1, 24, false), {0, 30}, {0, 700}},
      {"ManyQueries", make_shape(2, 1, 88, false), {0, 300}, {0, 260}},
      {"LargeHead", make_shape(1, 1, 256, true), {0, 50}, {0, 50}},
      {"VeryLongKeys", make_shape(1, 1, 5, false), {0, 26}, {0, 6000}},
  };
}

Tensor normal(const Stream& stream, const Shape& shape, std::string_view name) {
  const CounterRandom random(11, name);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return Tensor::from(stream, shape, values);
}

template <typename T>
std::vector<T> widened(const Tensor& tensor) {
  const auto values = tensor.to_vector<float>();
  return std::vector<T>(values.begin(), values.end());
}

void expect_close(const Tensor& found, const std::vector<double>& expected, double tolerance) {
  const auto values = found.to_vector<float>();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isinf(expected[i])) {
      EXPECT_EQ(values[i], expected[i]) << "at " << i;
      continue;
    }
    ASSERT_NEAR(values[i], expected[i], tolerance * (1.0 + std::abs(expected[i]))) << "at " << i;
  }
}

class AttentionTest : public testing::TestWithParam<Case> {
 protected:
  AttentionTest()
      : q_begin_(stream_, GetParam().q_begin),
        k_begin_(stream_, GetParam().k_begin),
        q_(normal(stream_, query_shape(), "q")),
        k_(normal(stream_, key_shape(), "k")),
        v_(normal(stream_, key_shape(), "v")),
        dout_(normal(stream_, query_shape(), "dout")),
        out_(normal(stream_, query_shape(), "overwritten")),
        lse_(normal(stream_, {shape_.heads, q_begin_.tokens()}, "overwritten")) {}
  ~AttentionTest() override { omp_set_num_threads(threads_before_); }

  Shape query_shape() const { return {q_begin_.tokens(), shape_.heads * shape_.head_dim}; }
  Shape key_shape() const { return {k_begin_.tokens(), shape_.kv_heads * shape_.head_dim}; }
  void forward() {
    attention_forward(stream_, shape_, q_, k_, v_, q_begin_, k_begin_, out_, &lse_);
  }
  std::vector<Tensor> backward() {
    std::vector<Tensor> gradients = {normal(stream_, query_shape(), "dq"),
                                     normal(stream_, key_shape(), "dk"),
                                     normal(stream_, key_shape(), "dv")};
    attention_backward(stream_, shape_, q_, k_, v_, out_, lse_, dout_, q_begin_, k_begin_,
                       gradients[0], gradients[1], gradients[2]);
    return gradients;
  }

  int threads_before_ = omp_get_max_threads();
  Stream stream_ = test_stream();
  AttentionShape shape_ = GetParam().shape;
  CumulativeLengths q_begin_, k_begin_;
  Tensor q_, k_, v_, dout_, out_, lse_;
};

TEST_P(AttentionTest, ForwardEqualsTheReference) {
  std::vector<double> out(static_cast<size_t>(q_.size()));
  std::vector<double> lse(static_cast<size_t>(lse_.size()));
  reference::attention(shape_, q_begin_.host, k_begin_.host, widened<double>(q_).data(),
                       widened<double>(k_).data(), widened<double>(v_).data(), out.data(),
                       lse.data());
  forward();
  expect_close(out_, out, 2e-6);
  expect_close(lse_, lse, 2e-6);
  const auto with_lse = out_.to_vector<float>();
  attention_forward(stream_, shape_, q_, k_, v_, q_begin_, k_begin_, out_, nullptr);
  EXPECT_EQ(out_.to_vector<float>(), with_lse);
}

// d(dout · out) / d(input) along a random direction, by one complex step in it: exact, and one
// evaluation an input instead of one an element.
TEST_P(AttentionTest, BackwardEqualsTheComplexStep) {
  using Complex = std::complex<double>;
  forward();
  const std::vector<Tensor> gradients = backward();
  const auto dout = widened<double>(dout_);
  for (size_t input = 0; input < 3; ++input)
    for (const char* direction : {"first", "second", "third"}) {
      SCOPED_TRACE(fmt::format("gradient {} along {}", input, direction));
      std::vector<std::vector<Complex>> inputs = {widened<Complex>(q_), widened<Complex>(k_),
                                                  widened<Complex>(v_)};
      const auto step = widened<double>(normal(stream_, gradients[input].shape(), direction));
      const auto gradient = widened<double>(gradients[input]);
      double found = 0, scale = 0;
      for (size_t i = 0; i < step.size(); ++i) {
        inputs[input][i] += Complex(0, 1e-100 * step[i]);
        found += gradient[i] * step[i];
        scale += std::pow(gradient[i] * step[i], 2);
      }
      std::vector<Complex> out(dout.size());
      reference::attention<Complex>(shape_, q_begin_.host, k_begin_.host, inputs[0].data(),
                                    inputs[1].data(), inputs[2].data(), out.data(), nullptr);
      double expected = 0;
      for (size_t i = 0; i < out.size(); ++i) expected += dout[i] * out[i].imag() * 1e100;
      EXPECT_NEAR(found, expected, 2e-6 * (std::sqrt(scale) + 1.0));
    }
}

TEST_P(AttentionTest, BitsDependOnNeitherRunNorThreads) {
  omp_set_num_threads(1);
  forward();
  const auto out = out_.to_vector<float>();
  const auto gradients = backward();
  // On a device the host's threads do not matter: one more run.
  const bool cpu = stream_.device().is_cpu();
  for (const int threads : cpu ? std::vector<int>{1, 2, 5} : std::vector<int>{1}) {
    omp_set_num_threads(threads);
    forward();
    EXPECT_EQ(out_.to_vector<float>(), out);
    const auto again = backward();
    for (size_t i = 0; i < again.size(); ++i)
      EXPECT_EQ(again[i].to_vector<float>(), gradients[i].to_vector<float>()) << "gradient " << i;
  }
}

std::string name_of_case(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Cases, AttentionTest, testing::ValuesIn(cases()), name_of_case);

// Every single element, where there are few: a wrong row cannot hide in a sum over all.
TEST(AttentionGradientTest, EveryElementEqualsTheComplexStep) {
  using Complex = std::complex<double>;
  const Stream stream = test_stream();
  const AttentionShape shape = make_shape(4, 2, 3, true);
  const CumulativeLengths begin(stream, {0, 1, 6});
  const Tensor q = normal(stream, {6, 12}, "q"), dout = normal(stream, {6, 12}, "dout");
  const Tensor k = normal(stream, {6, 6}, "k"), v = normal(stream, {6, 6}, "v");
  const Tensor out = Tensor::empty(stream, {6, 12}), lse = Tensor::empty(stream, {4, 6});
  const std::vector<Tensor> gradients = {
      Tensor::empty(stream, {6, 12}), Tensor::empty(stream, {6, 6}), Tensor::empty(stream, {6, 6})};
  attention_forward(stream, shape, q, k, v, begin, begin, out, &lse);
  attention_backward(stream, shape, q, k, v, out, lse, dout, begin, begin, gradients[0],
                     gradients[1], gradients[2]);
  for (size_t input = 0; input < 3; ++input) {
    std::vector<double> expected(static_cast<size_t>(gradients[input].size()));
    for (size_t element = 0; element < expected.size(); ++element) {
      std::vector<std::vector<Complex>> inputs = {widened<Complex>(q), widened<Complex>(k),
                                                  widened<Complex>(v)};
      inputs[input][element] += Complex(0, 1e-100);
      std::vector<Complex> result(static_cast<size_t>(out.size()));
      reference::attention<Complex>(shape, begin.host, begin.host, inputs[0].data(),
                                    inputs[1].data(), inputs[2].data(), result.data(), nullptr);
      for (size_t i = 0; i < result.size(); ++i)
        expected[element] += widened<double>(dout)[i] * result[i].imag() * 1e100;
    }
    SCOPED_TRACE(fmt::format("gradient {}", input));
    expect_close(gradients[input], expected, 2e-6);
  }
}

TEST(AttentionEdgeTest, LargeScoresNeitherOverflowNorVanish) {
  const Stream stream = test_stream();
  const AttentionShape shape{1, 1, 1, 1.0f, false};
  const CumulativeLengths one(stream, {0, 1}), two(stream, {0, 2});
  const Tensor q = Tensor::from(stream, {1, 1}, std::vector<float>{1000.0f});
  const Tensor k = Tensor::from(stream, {2, 1}, std::vector<float>{-1.0f, 1.0f});
  const Tensor v = Tensor::from(stream, {2, 1}, std::vector<float>{5.0f, 3.0f});
  const Tensor out = Tensor::empty(stream, {1, 1}), lse = Tensor::empty(stream, {1, 1});
  attention_forward(stream, shape, q, k, v, one, two, out, &lse);
  EXPECT_EQ(out.to_vector<float>(), std::vector<float>{3.0f});
  EXPECT_EQ(lse.to_vector<float>(), std::vector<float>{1000.0f});
}

TEST(AttentionEdgeTest, NotANumberIsSeenByItsOwnSequenceOnly) {
  const Stream stream = test_stream();
  const AttentionShape shape = make_shape(1, 1, 4, false);
  const CumulativeLengths begin(stream, {0, 3, 6});
  const Tensor q = normal(stream, {6, 4}, "q");
  auto values = normal(stream, {6, 4}, "k").to_vector<float>();
  values[0] = std::numeric_limits<float>::quiet_NaN();
  const Tensor k = Tensor::from(stream, {6, 4}, values);
  const Tensor out = Tensor::empty(stream, {6, 4});
  attention_forward(stream, shape, q, k, q, begin, begin, out, nullptr);
  const auto found = out.to_vector<float>();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(std::isnan(found[i]), i < 12) << "at " << i;
}

TEST(AttentionEdgeTest, WrongShapesAreNamed) {
  const Stream stream = test_stream();
  const CumulativeLengths four(stream, {0, 4}), five(stream, {0, 5}), two(stream, {0, 2, 4});
  const Tensor x = normal(stream, {4, 6}, "x");
  const Tensor y = Tensor::empty(stream, {4, 6});
  const auto run = [&](const AttentionShape& shape, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin) {
    return error_of(
        [&] { attention_forward(stream, shape, x, x, x, q_begin, k_begin, y, nullptr); });
  };
  EXPECT_EQ(run({2, 2, 3, 1.0f, true}, four, four), "no error");
  EXPECT_THAT(run({2, 2, 3, 1.0f, false}, four, five),
              HasSubstr("k is f32 [4, 6], expected f32 [5, 6]"));
  EXPECT_THAT(run({2, 2, 3, 1.0f, true}, four, five), HasSubstr("equal query and key lengths"));
  EXPECT_THAT(run({2, 2, 3, 1.0f, false}, four, two), HasSubstr("boundaries"));
  EXPECT_THAT(run({3, 2, 2, 1.0f, false}, four, four), HasSubstr("3 query heads over 2"));
  EXPECT_THAT(run({2, 2, 3, 0.0f, true}, four, four), HasSubstr("scale 0"));
  EXPECT_THAT(error_of([&] { CumulativeLengths(stream, {0, 3, 2}); }), HasSubstr("ascend"));
}

// The register tiles of the products inside: every remainder of rows and columns, b as rows and in
// panels, with and without AVX-512. Small whole numbers: every order of summation is exact.
TEST(SmallGemmTest, EveryRemainderIsExact) {
  const int64_t k = 9, most = 70, stride = cpu::round_to_panel(most);
  const auto at = [](int64_t row, int64_t col, int64_t row_stride) {
    return static_cast<size_t>(row * row_stride + col);
  };
  std::vector<float> a(static_cast<size_t>(most * stride)), b_transposed(at(most, 0, k));
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 13) - 6.0f;
  for (size_t i = 0; i < b_transposed.size(); ++i)
    b_transposed[i] = static_cast<float>(i % 11) - 5.0f;
  for (int64_t m = 1; m <= 27; ++m)
    for (int64_t n = 1; n <= most; ++n)
      for (int variant = 0; variant < 8; ++variant) {
        const bool transposed = variant & 1, panels = variant & 2;
        const bool avx512 = (variant & 4) != 0 && cpu::has_avx512();
        std::vector<float> b(at(k, 0, cpu::round_to_panel(n)), 99.0f);
        if (panels) cpu::pack_transposed(n, k, b_transposed.data(), k, b.data());
        for (int64_t col = 0; col < n && !panels; ++col)
          for (int64_t i = 0; i < k; ++i)
            b[at(i, col, cpu::round_to_panel(n))] = b_transposed[at(col, i, k)];
        std::vector<float> c(at(m + 1, 0, stride), 1.0f), expected = c;
        const int64_t a_row = transposed ? 1 : stride, a_col = transposed ? stride : 1;
        for (int64_t row = 0; row < m; ++row)
          for (int64_t col = 0; col < n; ++col) {
            float& element = expected[at(row, col, stride)];
            if (!transposed) element = 0;  // the transposed runs accumulate
            for (int64_t i = 0; i < k; ++i)
              element +=
                  2 * a[static_cast<size_t>(row * a_row + i * a_col)] * b_transposed[at(col, i, k)];
          }
        cpu::SmallGemm problem{m, n, k, a.data(), a_row, a_col, b.data()};
        problem.b_row = panels ? cpu::kPanel : cpu::round_to_panel(n);
        problem.b_panel = panels ? k * cpu::kPanel : 0;
        problem.c = c.data();
        problem.c_row = stride;
        problem.alpha = 2;
        problem.accumulate = transposed;
        cpu::small_gemm(problem, avx512);
        ASSERT_EQ(c, expected) << m << "x" << n << ", variant " << variant;
      }
}

}  // namespace
}  // namespace lynceus::kernels
