//
#include "kernels/device/elementwise.h"

#include "kernels/cuda/column_reduce.h"
#include "kernels/cuda/map.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = kMapThreads;

struct Add {
  LYNCEUS_DEVICE void operator()(const float (&in)[2], float (&out)[1]) const {
    out[0] = in[0] + in[1];
  }
};

// blockIdx.x: the row; y is limited to 65535.
template <int kPack, typename T>
__global__ void __launch_bounds__(kThreads) add_bias_kernel(const float* bias, int width, T* y) {
  const int column =
      (static_cast<int>(blockIdx.y) * kThreads + static_cast<int>(threadIdx.x)) * kPack;
  if (column >= width) return;
  T* const row = y + int64_t{blockIdx.x} * width;
  float b[kPack], values[kPack];
  read_pack(bias + column, b);
  read_pack(row + column, values);
#pragma unroll
  for (int i = 0; i < kPack; ++i) values[i] += b[i];
  write_pack(row + column, values);
}

template <int kPack, typename T>
__global__ void __launch_bounds__(kThreads)
    epilogue(const T* residual, const T* up, const float* bias, const float* scaling, int width,
             T* y) {
  const int column =
      (static_cast<int>(blockIdx.y) * kThreads + static_cast<int>(threadIdx.x)) * kPack;
  if (column >= width) return;
  const int64_t at = int64_t{blockIdx.x} * width + column;
  const float factor = *scaling;
  float skip[kPack], in[kPack], b[kPack];
  read_pack(residual + at, skip);
  read_pack(up + at, in);
  read_pack(bias + column, b);
#pragma unroll
  for (int i = 0; i < kPack; ++i) skip[i] += factor * (in[i] + b[i]);
  write_pack(y + at, skip);
}

template <typename T>
struct ColumnTerm {
  const T* x;
  int64_t width;
  LYNCEUS_DEVICE void operator()(int64_t row, int64_t column, float (&terms)[1]) const {
    terms[0] = to_float(x[row * width + column]);
  }
};

template <typename T>
struct ScaledTerm {
  const T* dy;
  const float* scaling;
  int64_t width;
  LYNCEUS_DEVICE void operator()(int64_t row, int64_t column, float (&terms)[1]) const {
    terms[0] = *scaling * to_float(dy[row * width + column]);
  }
};

template <typename T>
struct Scale {
  const float* scaling;
  LYNCEUS_DEVICE void operator()(const float (&in)[1], float (&out)[1]) const {
    out[0] = *scaling * in[0];
  }
};

/// Sums of doubles over a block, on its first thread, in a fixed order.
struct DoubleScratch {
  double warp[32];
};

LYNCEUS_DEVICE double block_sum_first(double value, DoubleScratch& scratch) {
#pragma unroll
  for (int distance = simt::kWarp / 2; distance > 0; distance /= 2)
    value += simt::shuffle_xor(value, distance);
  if (simt::lane() == 0) scratch.warp[threadIdx.x / simt::kWarp] = value;
  simt::sync_block();
  double sum = 0;
  if (threadIdx.x == 0)
    for (unsigned warp = 0; warp < blockDim.x / simt::kWarp; ++warp) sum += scratch.warp[warp];
  return sum;
}

/// dots[row] = Σ dy · (up + bias)
template <typename T>
__global__ void __launch_bounds__(kThreads)
    row_dots(const T* up, const float* bias, const T* dy, int64_t width, double* dots) {
  const int64_t row = blockIdx.x;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < width; i += kThreads)
    sum += static_cast<double>(to_float(dy[row * width + i])) *
           static_cast<double>(to_float(up[row * width + i]) + bias[i]);
  sum = block_sum_first(sum, simt::static_shared<DoubleScratch>());
  if (threadIdx.x == 0) dots[row] = sum;
}

/// target += Σ values
__global__ void __launch_bounds__(kThreads)
    add_sum(const double* values, int64_t count, float* target) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += values[i];
  sum = block_sum_first(sum, simt::static_shared<DoubleScratch>());
  if (threadIdx.x == 0) *target += static_cast<float>(sum);
}

constexpr int64_t kSquaresBlock = 16384;

__global__ void __launch_bounds__(kThreads)
    squares(const float* x, int64_t count, double* partial) {
  const int64_t begin = blockIdx.x * kSquaresBlock;
  const int64_t end = begin + kSquaresBlock < count ? begin + kSquaresBlock : count;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads)
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  sum = block_sum_first(sum, simt::static_shared<DoubleScratch>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

void add(const Stream& stream, const Tensor& a, const Tensor& b, const Tensor& y) {
  map<2, 1>(stream, {&a, &b}, {&y}, Add());
}

void add_bias(const Stream& stream, const Tensor& bias, const Tensor& y) {
  with_rows(y, {&bias, &y}, [&](auto type, auto pack) {
    using T = decltype(type);
    simt::launch(add_bias_kernel<pack(), T>, row_grid(y, pack()), kThreads, 0, stream,
                 pointer<float>(bias), static_cast<int>(y.cols()), pointer<T>(y));
  });
}

void column_sum(const Stream& stream, const Tensor& x, const Tensor& sums) {
  for_float_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    column_reduce<1>(stream, x.rows(), x.cols(), {{pointer<float>(sums)}},
                     ColumnTerm<T>{pointer<T>(x), x.cols()});
  });
}

void adapter_epilogue_forward(const Stream& stream, const Tensor& residual, const Tensor& up,
                              const Tensor& bias, const Tensor& scaling, const Tensor& y) {
  with_rows(y, {&residual, &up, &bias, &y}, [&](auto type, auto pack) {
    using T = decltype(type);
    simt::launch(epilogue<pack(), T>, row_grid(y, pack()), kThreads, 0, stream,
                 pointer<T>(residual), pointer<T>(up), pointer<float>(bias),
                 pointer<float>(scaling), static_cast<int>(y.cols()), pointer<T>(y));
  });
}

void adapter_epilogue_backward(const Stream& stream, const Tensor& up, const Tensor& bias,
                               const Tensor& scaling, const Tensor& dy, const Tensor& dup,
                               const Tensor* dscaling, const Tensor* dbias) {
  const int64_t rows = up.rows(), width = up.cols();
  for_float_type(dy.dtype(), [&](auto type) {
    using T = decltype(type);
    map<1, 1>(stream, {&dy}, {&dup}, Scale<T>{pointer<float>(scaling)});
    if (dbias != nullptr)
      column_reduce<1>(stream, rows, width, {{pointer<float>(dbias)}},
                       ScaledTerm<T>{pointer<T>(dy), pointer<float>(scaling), width});
    if (dscaling == nullptr) return;
    const Tensor dots = Tensor::empty(stream, {rows}, DType::kF64);
    simt::launch(row_dots<T>, static_cast<unsigned>(rows), kThreads, 0, stream, pointer<T>(up),
                 pointer<float>(bias), pointer<T>(dy), width, pointer<double>(dots));
    simt::launch(add_sum, 1u, kThreads, 0, stream, pointer<double>(dots), rows,
                 pointer<float>(dscaling));
  });
}

std::vector<double> sums_of_squares(const Stream& stream, std::span<const Tensor> tensors) {
  int64_t total = 0;
  for (const Tensor& x : tensors) total += blocks_for(x.size(), kSquaresBlock);
  const Tensor partial = Tensor::empty(stream, {total}, DType::kF64);
  int64_t first = 0;
  for (const Tensor& x : tensors) {
    const unsigned blocks = blocks_for(x.size(), kSquaresBlock);
    simt::launch(squares, blocks, kThreads, 0, stream, pointer<float>(x), x.size(),
                 pointer<double>(partial) + first);
    first += blocks;
  }
  const std::vector<double> sums = partial.to_vector<double>();  // the only wait
  std::vector<double> result;
  size_t at = 0;
  for (const Tensor& x : tensors) {
    double sum = 0;
    for (unsigned block = 0; block < blocks_for(x.size(), kSquaresBlock); ++block)
      sum += sums[at++];
    result.push_back(sum);
  }
  return result;
}

}  // namespace

const ElementwiseKernels kElementwise = {.add = add,
                                         .add_bias = add_bias,
                                         .column_sum = column_sum,
                                         .adapter_epilogue_forward = adapter_epilogue_forward,
                                         .adapter_epilogue_backward = adapter_epilogue_backward,
                                         .sums_of_squares = sums_of_squares};

}  // namespace lynceus::kernels::cuda
