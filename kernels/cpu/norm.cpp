// A row is read twice while it is in cache, first for its statistics (f64 over blocks of f32 sums),
// then for the result.
#include "kernels/device/norm.h"

#include <cmath>

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

float* data_or_null(const Tensor* tensor) {
  return tensor == nullptr ? nullptr : tensor->data<float>();
}

/// dx = dresidual + inv · (dy·w − offset − (x − mean) · slope), the end of both backwards.
void write_input_gradient(int64_t width, const float* x, const float* w, const float* dy,
                          const float* dresidual, float mean, float inv, float offset, float slope,
                          float* dx) {
  if (dresidual == nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i)
      dx[i] = inv * (dy[i] * w[i] - offset - (x[i] - mean) * slope);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i)
      dx[i] = dresidual[i] + inv * (dy[i] * w[i] - offset - (x[i] - mean) * slope);
  }
}

/// dw += dy · (x − mean) · inv.
void add_weight_gradient(int64_t width, const float* x, const float* dy, float mean, float inv,
                         float* dw) {
#pragma omp simd
  for (int64_t i = 0; i < width; ++i) dw[i] += dy[i] * ((x[i] - mean) * inv);
}

void rms_norm_forward(const Stream& /*stream*/, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor* inv_rms) {
  const int64_t width = x.cols();
  const float* const w = weight.data<float>();
  const float* const in = x.data<float>();
  float* const out = y.data<float>();
  float* const saved = data_or_null(inv_rms);
  for_each_row(x.rows(), width, [=](int64_t row) {
    const float* const xr = in + row * width;
    float* const yr = out + row * width;
    const double squares = sum_of(width, [xr](int64_t i) { return xr[i] * xr[i]; });
    const double mean_square = squares / static_cast<double>(width);
    const auto inv = static_cast<float>(1.0 / std::sqrt(mean_square + static_cast<double>(eps)));
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) yr[i] = xr[i] * inv * w[i];
    if (saved != nullptr) saved[row] = inv;
  });
}

void rms_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                       const Tensor& inv_rms, const Tensor& dy, const Tensor* dresidual,
                       const Tensor* dx, const Tensor* dweight) {
  const int64_t width = x.cols();
  const float* const in = x.data<float>();
  const float* const w = weight.data<float>();
  const float* const saved = inv_rms.data<float>();
  const float* const gradient = dy.data<float>();
  const float* const residual = data_or_null(dresidual);
  float* const out = data_or_null(dx);
  const auto add_rows = [=](int64_t begin, int64_t end, const std::array<float*, 1>& dw) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const xr = in + row * width;
      const float* const g = gradient + row * width;
      const float inv = saved[row];
      if (dw[0] != nullptr) add_weight_gradient(width, xr, g, 0.0f, inv, dw[0]);
      if (out == nullptr) continue;
      const double dot = sum_of(width, [=](int64_t i) { return g[i] * w[i] * xr[i]; });
      const double slope =
          dot * static_cast<double>(inv) * static_cast<double>(inv) / static_cast<double>(width);
      write_input_gradient(width, xr, w, g, residual == nullptr ? nullptr : residual + row * width,
                           0.0f, inv, 0.0f, static_cast<float>(slope), out + row * width);
    }
  };
  sum_rows<1>(stream, x.rows(), width, {data_or_null(dweight)}, add_rows);
}

void layer_norm_forward(const Stream& /*stream*/, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, float eps, const Tensor& y, const Tensor* mean,
                        const Tensor* inv_std) {
  const int64_t width = x.cols();
  const float* const w = weight.data<float>();
  const float* const b = bias.data<float>();
  const float* const in = x.data<float>();
  float* const out = y.data<float>();
  float* const saved_mean = data_or_null(mean);
  float* const saved_inv = data_or_null(inv_std);
  for_each_row(x.rows(), width, [=](int64_t row) {
    const float* const xr = in + row * width;
    float* const yr = out + row * width;
    const double sum = sum_of(width, [xr](int64_t i) { return xr[i]; });
    const auto center = static_cast<float>(sum / static_cast<double>(width));
    // A mean far from zero has a rounding error; the mean of the differences corrects it.
    const double rest = sum_of(width, [xr, center](int64_t i) { return xr[i] - center; });
    const auto lost = static_cast<float>(rest / static_cast<double>(width));
    const double squares = sum_of(width, [xr, center, lost](int64_t i) {
      const float difference = xr[i] - center - lost;
      return difference * difference;
    });
    const double variance = squares / static_cast<double>(width);
    const auto inv = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(eps)));
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) yr[i] = (xr[i] - center - lost) * inv * w[i] + b[i];
    if (saved_mean != nullptr) saved_mean[row] = center;
    if (saved_inv != nullptr) saved_inv[row] = inv;
  });
}

void layer_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx, const Tensor* dweight,
                         const Tensor* dbias) {
  const int64_t width = x.cols();
  const float* const in = x.data<float>();
  const float* const w = weight.data<float>();
  const float* const saved_mean = mean.data<float>();
  const float* const saved_inv = inv_std.data<float>();
  const float* const gradient = dy.data<float>();
  const float* const residual = data_or_null(dresidual);
  float* const out = data_or_null(dx);
  const auto add_rows = [=](int64_t begin, int64_t end, const std::array<float*, 2>& sums) {
    for (int64_t row = begin; row < end; ++row) {
      const float* const xr = in + row * width;
      const float* const g = gradient + row * width;
      const float center = saved_mean[row];
      const float inv = saved_inv[row];
      if (sums[0] != nullptr) add_weight_gradient(width, xr, g, center, inv, sums[0]);
      if (float* const db = sums[1]; db != nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) db[i] += g[i];
      }
      if (out == nullptr) continue;
      const double sum = sum_of(width, [=](int64_t i) { return g[i] * w[i]; });
      const double dot = sum_of(width, [=](int64_t i) { return g[i] * w[i] * (xr[i] - center); });
      const double slope =
          dot * static_cast<double>(inv) * static_cast<double>(inv) / static_cast<double>(width);
      write_input_gradient(width, xr, w, g, residual == nullptr ? nullptr : residual + row * width,
                           center, inv, static_cast<float>(sum / static_cast<double>(width)),
                           static_cast<float>(slope), out + row * width);
    }
  };
  sum_rows<2>(stream, x.rows(), width, {data_or_null(dweight), data_or_null(dbias)}, add_rows);
}

}  // namespace

const NormKernels kNorm = {.rms_norm_forward = rms_norm_forward,
                           .rms_norm_backward = rms_norm_backward,
                           .layer_norm_forward = layer_norm_forward,
                           .layer_norm_backward = layer_norm_backward};

}  // namespace lynceus::kernels::cpu
