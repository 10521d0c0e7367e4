// One pass over memory per function; an output may be the same tensor as an input.
#include "kernels/device/elementwise.h"

#include <numeric>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

void add(const Stream& /*stream*/, const Tensor& a, const Tensor& b, const Tensor& y) {
  const float* const first = a.data<float>();
  const float* const second = b.data<float>();
  float* const out = y.data<float>();
  for_each_block(a.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] = first[i] + second[i];
  });
}

void add_bias(const Stream& /*stream*/, const Tensor& bias, const Tensor& y) {
  const int64_t width = y.cols();
  const float* const b = bias.data<float>();
  float* const out = y.data<float>();
  for_each_row(y.rows(), width, [=](int64_t row) {
    float* const yr = out + row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) yr[i] += b[i];
  });
}

void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums) {
  const int64_t width = x.cols();
  const float* const in = x.data<float>();
  const auto add_rows = [=](int64_t begin, int64_t end, const std::array<float*, 1>& partial) {
    float* const sum = partial[0];
    for (int64_t row = begin; row < end; ++row) {
      const float* const xr = in + row * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) sum[i] += xr[i];
    }
  };
  sum_rows<1>(stream, x.rows(), width, {sums.data<float>()}, add_rows);
}

void adapter_epilogue_forward(const Stream& /*stream*/, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y) {
  const int64_t width = up.cols();
  const float* const skip = residual.data<float>();
  const float* const in = up.data<float>();
  const float* const b = bias.data<float>();
  const float factor = *scaling.data<float>();
  float* const out = y.data<float>();
  for_each_row(up.rows(), width, [=](int64_t row) {
    const int64_t offset = row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i)
      out[offset + i] = skip[offset + i] + factor * (in[offset + i] + b[i]);
  });
}

void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias) {
  const int64_t rows = up.rows();
  const int64_t width = up.cols();
  const float* const in = up.data<float>();
  const float* const b = bias.data<float>();
  const float* const gradient = dy.data<float>();
  const float factor = *scaling.data<float>();
  float* const out = dup.data<float>();
  std::vector<double> row_dots(dscaling == nullptr ? 0 : static_cast<size_t>(rows));
  double* const dots = row_dots.empty() ? nullptr : row_dots.data();
  const auto add_rows = [=](int64_t begin, int64_t end, const std::array<float*, 1>& partial) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const xr = in + row * width;
      const float* const g = gradient + row * width;
      float* const dx = out + row * width;
      if (dots != nullptr)
        dots[row] = sum_of<double>(width, [=](int64_t i) {
          return static_cast<double>(g[i]) * static_cast<double>(xr[i] + b[i]);
        });
      float* const db = partial[0];
      if (db == nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) dx[i] = factor * g[i];
      } else {
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          dx[i] = factor * g[i];
          db[i] += dx[i];
        }
      }
    }
  };
  sum_rows<1>(stream, rows, width, {dbias == nullptr ? nullptr : dbias->data<float>()}, add_rows);
  if (dscaling != nullptr)
    *dscaling->data<float>() +=
        static_cast<float>(std::accumulate(row_dots.begin(), row_dots.end(), 0.0));
}

double sum_of_squares(const Tensor& x) {
  constexpr int64_t kBlock = 16384;
  const int64_t n = x.size();
  const float* const in = x.data<float>();
  std::vector<double> partials(static_cast<size_t>((n + kBlock - 1) / kBlock));
  for_each_block<kBlock>(n, [=, &partials](int64_t begin, int64_t end) {
    const float* const block = in + begin;
    partials[static_cast<size_t>(begin / kBlock)] = sum_of<double>(end - begin, [block](int64_t i) {
      return static_cast<double>(block[i]) * static_cast<double>(block[i]);
    });
  });
  return std::accumulate(partials.begin(), partials.end(), 0.0);
}

std::vector<double> sums_of_squares(const Stream& /*stream*/, std::span<const Tensor> tensors) {
  std::vector<double> sums;
  for (const Tensor& x : tensors) sums.push_back(sum_of_squares(x));
  return sums;
}

}  // namespace

const ElementwiseKernels kElementwise = {.add = add,
                                         .add_bias = add_bias,
                                         .column_sum = column_sum,
                                         .adapter_epilogue_forward = adapter_epilogue_forward,
                                         .adapter_epilogue_backward = adapter_epilogue_backward,
                                         .sums_of_squares = sums_of_squares};

}  // namespace lynceus::kernels::cpu
