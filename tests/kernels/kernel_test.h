// Common to the kernel tests: random inputs, tensors from them, comparison with f64 references, the
// complex step, and runs with a given number of threads.
#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "core/tensor.h"

namespace lynceus::kernels {

using Complex = std::complex<double>;

/// f(x + i·kStep).imag() / kStep is f'(x) to rounding, without cancellation (Squire, Trapp 1998).
constexpr double kStep = 1e-40;

struct Matrix {
  int64_t rows;
  int64_t width;
  DType dtype = DType::kF32;
};

/// Odd shapes, an empty one, and shapes large enough for several blocks, chunks and threads.
inline std::vector<Matrix> test_matrices() {
  return {{1, 1}, {0, 8}, {71, 229}, {3, 64}, {2, 2048}, {301, 96}};
}

/// The same in f32 and in bf16.
inline std::vector<Matrix> typed_matrices() {
  std::vector<Matrix> all = test_matrices();
  for (const Matrix& shape : test_matrices())
    all.push_back({shape.rows, shape.width, DType::kBf16});
  return all;
}

/// "71x229bf16", the name of a test over these.
inline std::string name_of(const testing::TestParamInfo<Matrix>& info) {
  return std::to_string(info.param.rows) + "x" + std::to_string(info.param.width) +
         (info.param.dtype == DType::kBf16 ? "bf16" : "");
}

inline std::vector<float> random_floats(int64_t n, const std::string& name, double low = -2,
                                        double high = 2) {
  const CounterRandom random(7, name);
  std::vector<float> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(low + (high - low) * random.uniform(i));
  return values;
}

/// The same numbers in a reference's type.
template <typename T>
std::vector<T> widen(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

/// |actual − expected| ≤ tolerance · max(1, |expected|), element by element.
inline void expect_close(const std::vector<float>& actual, const std::vector<double>& expected,
                         double tolerance, const std::string& what, double scale = 1) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(static_cast<double>(actual[i]), expected[i],
                tolerance * std::max(scale, std::abs(expected[i])))
        << what << ", element " << i << " of " << actual.size();
}

/// The device that a test's kernels run on: CPUs, or with LYNCEUS_TEST_DEVICE=cuda the first CUDA
/// device (or its stand-in).
inline Stream test_stream() {
  const char* name = std::getenv("LYNCEUS_TEST_DEVICE");
  const bool cuda = name != nullptr && std::string(name) == "cuda";
  return Stream(Device{cuda ? DeviceKind::kCuda : DeviceKind::kCpu, 0});
}

/// The path of a file in tests/data, or in LYNCEUS_TEST_DATA where the tests run outside the
/// repository.
inline std::string test_data(const std::string& file) {
  const char* folder = std::getenv("LYNCEUS_TEST_DATA");
  return (folder != nullptr ? std::string(folder) : LYNCEUS_SOURCE_DIR "/tests/data") + "/" + file;
}

/// The values as represented in the dtype: rounded for bf16.
inline std::vector<float> as_stored(std::vector<float> values, DType dtype) {
  if (dtype == DType::kBf16)
    for (float& value : values) value = static_cast<float>(BFloat16(value));
  return values;
}

/// A tensor of f32 or bf16 from f32 values.
inline Tensor float_tensor(const Stream& stream, const Shape& shape,
                           const std::vector<float>& values, DType dtype) {
  if (dtype == DType::kF32) return Tensor::from(stream, shape, values);
  std::vector<BFloat16> rounded;
  for (const float value : values) rounded.emplace_back(value);
  return Tensor::from(stream, shape, rounded);
}

/// The elements of an f32 or bf16 tensor.
inline std::vector<float> to_floats(const Tensor& tensor) {
  if (tensor.dtype() == DType::kF32) return tensor.to_vector<float>();
  std::vector<float> values;
  for (const BFloat16 value : tensor.to_vector<BFloat16>())
    values.push_back(static_cast<float>(value));
  return values;
}

/// For a bf16 result the tolerance is at least one rounding.
inline void expect_close(const Tensor& actual, const std::vector<double>& expected,
                         double tolerance, const std::string& what) {
  constexpr double kRounding = 1.0 / 256;
  if (actual.dtype() == DType::kBf16) tolerance = std::max(tolerance, kRounding);
  expect_close(to_floats(actual), expected, tolerance, what);
}

/// For sums of many terms, some of which cancel: relative to the largest element.
inline void expect_close_sums(const Tensor& actual, const std::vector<double>& expected,
                              double tolerance, const std::string& what) {
  double largest = 1;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  expect_close(to_floats(actual), expected, tolerance, what, largest);
}

/// compute() under 1 thread and under 2.
template <typename Compute>
auto with_one_and_two_threads(Compute compute) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  auto one = compute();
  omp_set_num_threads(2);
  auto two = compute();
  omp_set_num_threads(threads);
  return std::pair(one, two);
}

/// d/dx Σ dy·y for every x[row, column] of a function that treats each row separately: f(x, y)
/// fills y.
template <typename Function>
std::vector<double> input_gradient(Matrix shape, const std::vector<float>& x,
                                   const std::vector<float>& dy, Function f) {
  auto point = widen<Complex>(x);
  std::vector<Complex> y(dy.size());
  std::vector<double> gradient(x.size());
  for (int64_t column = 0; column < shape.width; ++column) {
    for (int64_t row = 0; row < shape.rows; ++row)
      point[row * shape.width + column] += Complex(0, kStep);
    f(point.data(), y.data());
    for (int64_t row = 0; row < shape.rows; ++row) {
      double sum = 0;
      for (int64_t i = row * shape.width; i < (row + 1) * shape.width; ++i)
        sum += static_cast<double>(dy[i]) * y[i].imag() / kStep;
      gradient[row * shape.width + column] = sum;
      point[row * shape.width + column] = x[row * shape.width + column];
    }
  }
  return gradient;
}

/// d/dp Σ dy·y for every element of a parameter: f(p, y) fills y.
template <typename Function>
std::vector<double> parameter_gradient(const std::vector<float>& parameter,
                                       const std::vector<float>& dy, Function f) {
  auto point = widen<Complex>(parameter);
  std::vector<Complex> y(dy.size());
  std::vector<double> gradient(parameter.size());
  for (size_t p = 0; p < parameter.size(); ++p) {
    point[p] += Complex(0, kStep);
    f(point.data(), y.data());
    for (size_t i = 0; i < dy.size(); ++i)
      gradient[p] += static_cast<double>(dy[i]) * y[i].imag() / kStep;
    point[p] = parameter[p];
  }
  return gradient;
}

inline std::vector<double> plus(const std::vector<float>& a, std::vector<double> b) {
  for (size_t i = 0; i < b.size(); ++i) b[i] += static_cast<double>(a[i]);
  return b;
}

/// The message of the InternalError that the call throws.
template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const InternalError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace lynceus::kernels
