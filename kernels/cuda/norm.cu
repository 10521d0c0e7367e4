// One block per row, which stays in registers between the passes over it, so that memory is read
// once.
#include "kernels/device/norm.h"

#include "kernels/cuda/column_reduce.h"

namespace lynceus::kernels::cuda {
namespace {

/// A row of kItems · kPack elements per thread; elements after the width are 0.
template <int kItems, int kPack>
struct Row {
  float value[kItems][kPack];

  template <typename T>
  LYNCEUS_DEVICE void read(const T* source, int width) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int at = column(i);
      if (at < width) {
        read_pack(source + at, value[i]);
      } else {
#pragma unroll
        for (int j = 0; j < kPack; ++j) value[i][j] = 0;
      }
    }
  }

  template <typename T>
  LYNCEUS_DEVICE void write(T* target, int width) const {
#pragma unroll
    for (int i = 0; i < kItems; ++i)
      if (column(i) < width) write_pack(target + column(i), value[i]);
  }

  /// visit(element, i, j) for every element of the row, the j-th of pack i.
  template <typename Visit>
  LYNCEUS_DEVICE void each(int width, Visit visit) {
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      if (column(i) >= width) continue;
#pragma unroll
      for (int j = 0; j < kPack; ++j) visit(value[i][j], i, j);
    }
  }

  LYNCEUS_DEVICE int column(int item) const {
    return (item * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)) * kPack;
  }
};

template <int kItems, int kPack, typename T>
__global__ void rms_forward(const T* x, const float* weight, float eps, int width, T* y,
                            float* inv_rms) {
  const int64_t row = blockIdx.x;
  Row<kItems, kPack> values, factors;
  values.read(x + row * width, width);
  factors.read(weight, width);
  float squares = 0;
  values.each(width, [&](float& v, int, int) { squares += v * v; });
  squares = block_sum(squares, simt::static_shared<BlockScratch>());
  const float inverse = 1.0f / sqrtf(squares / static_cast<float>(width) + eps);
  values.each(width, [&](float& v, int i, int j) { v = v * inverse * factors.value[i][j]; });
  values.write(y + row * width, width);
  if (inv_rms != nullptr && threadIdx.x == 0) inv_rms[row] = inverse;
}

template <int kItems, int kPack, typename T>
__global__ void rms_backward(const T* x, const float* weight, const float* inv_rms, const T* dy,
                             const T* dresidual, int width, T* dx) {
  const int64_t row = blockIdx.x;
  const float inverse = inv_rms[row];
  Row<kItems, kPack> normed, gradient, other;
  normed.read(x + row * width, width);
  gradient.read(dy + row * width, width);
  other.read(weight, width);
  float dot = 0;
  gradient.each(width, [&](float& g, int i, int j) {
    g *= other.value[i][j];
    normed.value[i][j] *= inverse;
    dot += g * normed.value[i][j];
  });
  dot = block_sum(dot, simt::static_shared<BlockScratch>()) / static_cast<float>(width);
  if (dresidual != nullptr) other.read(dresidual + row * width, width);
  gradient.each(width, [&](float& g, int i, int j) {
    const float skip = dresidual == nullptr ? 0.0f : other.value[i][j];
    g = skip + inverse * (g - normed.value[i][j] * dot);
  });
  gradient.write(dx + row * width, width);
}

template <int kItems, int kPack, typename T>
__global__ void layer_forward(const T* x, const float* weight, const float* bias, float eps,
                              int width, T* y, float* mean, float* inv_std) {
  const int64_t row = blockIdx.x;
  BlockScratch& scratch = simt::static_shared<BlockScratch>();
  Row<kItems, kPack> values, factors;
  values.read(x + row * width, width);
  float sum = 0, rest = 0, squares = 0;
  values.each(width, [&](float& v, int, int) { sum += v; });
  const float average = block_sum(sum, scratch) / static_cast<float>(width);
  values.each(width, [&](float& v, int, int) {
    v -= average;
    rest += v;
    squares += v * v;
  });
  // The rounding error of the average, which matters if the average is large compared to the
  // deviation.
  rest = block_sum(rest, scratch) / static_cast<float>(width);
  const float variance = block_sum(squares, scratch) / static_cast<float>(width) - rest * rest;
  const float inverse = 1.0f / sqrtf(variance + eps);
  factors.read(weight, width);
  values.each(width,
              [&](float& v, int i, int j) { v = (v - rest) * inverse * factors.value[i][j]; });
  factors.read(bias, width);
  values.each(width, [&](float& v, int i, int j) { v += factors.value[i][j]; });
  values.write(y + row * width, width);
  if (threadIdx.x != 0) return;
  if (mean != nullptr) mean[row] = average + rest;
  if (inv_std != nullptr) inv_std[row] = inverse;
}

template <int kItems, int kPack, typename T>
__global__ void layer_backward(const T* x, const float* weight, const float* mean,
                               const float* inv_std, const T* dy, const T* dresidual, int width,
                               T* dx) {
  const int64_t row = blockIdx.x;
  BlockScratch& scratch = simt::static_shared<BlockScratch>();
  const float average = mean[row], inverse = inv_std[row];
  Row<kItems, kPack> normed, gradient, other;
  normed.read(x + row * width, width);
  gradient.read(dy + row * width, width);
  other.read(weight, width);
  float sum = 0, dot = 0;
  gradient.each(width, [&](float& g, int i, int j) {
    g *= other.value[i][j];
    normed.value[i][j] = (normed.value[i][j] - average) * inverse;
    sum += g;
    dot += g * normed.value[i][j];
  });
  sum = block_sum(sum, scratch) / static_cast<float>(width);
  dot = block_sum(dot, scratch) / static_cast<float>(width);
  if (dresidual != nullptr) other.read(dresidual + row * width, width);
  gradient.each(width, [&](float& g, int i, int j) {
    const float skip = dresidual == nullptr ? 0.0f : other.value[i][j];
    g = skip + inverse * (g - sum - normed.value[i][j] * dot);
  });
  gradient.write(dx + row * width, width);
}

/// Σ dy·x̂ and Σ dy over rows; mean null: RMSNorm's x̂.
template <typename T>
struct WeightTerm {
  const T* x;
  const T* dy;
  const float* mean;
  const float* inverse;
  int64_t width;
  LYNCEUS_DEVICE void operator()(int64_t row, int64_t column, float (&terms)[2]) const {
    const float g = to_float(dy[row * width + column]);
    const float average = mean == nullptr ? 0.0f : mean[row];
    terms[0] = g * ((to_float(x[row * width + column]) - average) * inverse[row]);
    terms[1] = g;
  }
};

/// body(type, kItems, kPack, threads) with the distribution of a row of this width over a block.
template <typename Body>
void with_row_shape(const Tensor& x, std::initializer_list<const Tensor*> tensors, Body body) {
  const int64_t width = x.cols();
  for_float_type(x.dtype(), [&](auto type) {
    constexpr int kWidest = kPackOf<decltype(type)>;
    bool packs = true;
    for (const Tensor* tensor : tensors)
      if (tensor != nullptr) packs = packs && fits_packs(*tensor, width, kWidest);
    const auto by_items = [&](auto pack) {
      // A few warps per row, so that several rows share a multiprocessor; more only for wide rows.
      const int64_t count = width / pack();
      const auto run = [&](auto items) {
        const int64_t threads = (count + items() - 1) / items();
        body(type, items, pack, static_cast<unsigned>((threads + 31) / 32 * 32));
      };
      LYNCEUS_CHECK(count <= 8 * 1024, "a norm over {} elements", width);
      if (count <= 128)
        run(std::integral_constant<int, 1>());
      else if (count <= 512)
        run(std::integral_constant<int, 2>());
      else if (count <= 2048)
        run(std::integral_constant<int, 4>());
      else
        run(std::integral_constant<int, 8>());
    };
    if (packs)
      by_items(std::integral_constant<int, kWidest>());
    else
      by_items(std::integral_constant<int, 1>());
  });
}

void rms_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor* inv_rms) {
  with_row_shape(x, {&x, &weight, &y}, [&](auto type, auto items, auto pack, unsigned threads) {
    using T = decltype(type);
    simt::launch(rms_forward<items(), pack(), T>, static_cast<unsigned>(x.rows()), threads, 0,
                 stream, pointer<T>(x), pointer<float>(weight), eps, static_cast<int>(x.cols()),
                 pointer<T>(y), pointer<float>(inv_rms));
  });
}

void rms_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                       const Tensor& inv_rms, const Tensor& dy, const Tensor* dresidual,
                       const Tensor* dx, const Tensor* dweight) {
  for_float_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    if (dweight != nullptr)  // before dx, which may be dy
      column_reduce<2>(
          stream, x.rows(), x.cols(), {{pointer<float>(dweight), nullptr}},
          WeightTerm<T>{pointer<T>(x), pointer<T>(dy), nullptr, pointer<float>(inv_rms), x.cols()});
  });
  if (dx == nullptr) return;
  with_row_shape(x, {&x, &weight, &dy, dresidual, dx},
                 [&](auto type, auto items, auto pack, unsigned threads) {
                   using T = decltype(type);
                   simt::launch(rms_backward<items(), pack(), T>, static_cast<unsigned>(x.rows()),
                                threads, 0, stream, pointer<T>(x), pointer<float>(weight),
                                pointer<float>(inv_rms), pointer<T>(dy), pointer<T>(dresidual),
                                static_cast<int>(x.cols()), pointer<T>(dx));
                 });
}

void layer_norm_forward(const Stream& stream, const Tensor& x, const Tensor& weight,
                        const Tensor& bias, float eps, const Tensor& y, const Tensor* mean,
                        const Tensor* inv_std) {
  with_row_shape(x, {&x, &weight, &bias, &y},
                 [&](auto type, auto items, auto pack, unsigned threads) {
                   using T = decltype(type);
                   simt::launch(layer_forward<items(), pack(), T>, static_cast<unsigned>(x.rows()),
                                threads, 0, stream, pointer<T>(x), pointer<float>(weight),
                                pointer<float>(bias), eps, static_cast<int>(x.cols()),
                                pointer<T>(y), pointer<float>(mean), pointer<float>(inv_std));
                 });
}

void layer_norm_backward(const Stream& stream, const Tensor& x, const Tensor& weight,
                         const Tensor& mean, const Tensor& inv_std, const Tensor& dy,
                         const Tensor* dresidual, const Tensor* dx, const Tensor* dweight,
                         const Tensor* dbias) {
  for_float_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    if (dweight != nullptr || dbias != nullptr)  // before dx, which may be dy
      column_reduce<2>(stream, x.rows(), x.cols(),
                       {{pointer<float>(dweight), pointer<float>(dbias)}},
                       WeightTerm<T>{pointer<T>(x), pointer<T>(dy), pointer<float>(mean),
                                     pointer<float>(inv_std), x.cols()});
  });
  if (dx == nullptr) return;
  with_row_shape(x, {&x, &weight, &dy, dresidual, dx},
                 [&](auto type, auto items, auto pack, unsigned threads) {
                   using T = decltype(type);
                   simt::launch(layer_backward<items(), pack(), T>, static_cast<unsigned>(x.rows()),
                                threads, 0, stream, pointer<T>(x), pointer<float>(weight),
                                pointer<float>(mean), pointer<float>(inv_std), pointer<T>(dy),
                                pointer<T>(dresidual), static_cast<int>(x.cols()), pointer<T>(dx));
                 });
}

}  // namespace

const NormKernels kNorm = {.rms_norm_forward = rms_norm_forward,
                           .rms_norm_backward = rms_norm_backward,
                           .layer_norm_forward = layer_norm_forward,
                           .layer_norm_backward = layer_norm_backward};

}  // namespace lynceus::kernels::cuda
