//
#include "kernels/device/embedding.h"

#include "kernels/cuda/device_math.h"
#include "kernels/cuda/device_tensor.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 128;

/// Bytes that one thread moves at once.
template <int kBytes>
struct alignas(kBytes) Unit {
  unsigned char byte[kBytes];
};

/// y[r] = table[ids[r] − begin], zeros where the table has no such row. Widths in units.
template <typename U>
__global__ void __launch_bounds__(kThreads)
    look_up(const int32_t* ids, int64_t begin, int64_t table_rows, const U* table, int64_t width,
            U* y) {
  const int64_t row = blockIdx.x;
  const int64_t local = ids[row] < 0 ? -1 : ids[row] - begin;
  const bool here = local >= 0 && local < table_rows;
  for (int64_t i = threadIdx.x; i < width; i += kThreads)
    y[row * width + i] = here ? table[local * width + i] : U{};
}

template <typename U>
__global__ void __launch_bounds__(kThreads)
    gather(const U* x, const int32_t* rows, int64_t width, U* y) {
  const int64_t row = blockIdx.x, from = rows[row];
  for (int64_t i = threadIdx.x; i < width; i += kThreads) y[row * width + i] = x[from * width + i];
}

template <typename U>
__global__ void __launch_bounds__(kThreads)
    scatter(const U* x, const int32_t* rows, int64_t width, U* y) {
  const int64_t row = blockIdx.x, to = rows[row];
  for (int64_t i = threadIdx.x; i < width; i += kThreads) y[to * width + i] = x[row * width + i];
}

constexpr int kParts = 32;  // blocks divide the table by row number modulo this

// A token may occur in many rows: one thread adds all values of a column, in row order.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    add_rows(const int32_t* ids, int64_t rows, int64_t begin, int64_t table_rows, const T* dy,
             int64_t width, float* dtable) {
  const int64_t column = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (column >= width) return;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t local = ids[row] < 0 ? -1 : ids[row] - begin;
    if (local < 0 || local >= table_rows || local % kParts != blockIdx.y) continue;
    dtable[local * width + column] += to_float(dy[row * width + column]);
  }
}

/// body(Unit, units per row) with the largest unit that divides the rows of these tensors.
template <typename Body>
void with_units(const Tensor& a, const Tensor& b, Body body) {
  const auto bytes = static_cast<uint64_t>(a.cols()) * size_of(a.dtype());
  const uint64_t all =
      bytes | reinterpret_cast<uintptr_t>(a.raw()) | reinterpret_cast<uintptr_t>(b.raw());
  const auto run = [&](auto unit) { body(unit, static_cast<int64_t>(bytes / sizeof(unit))); };
  if (all % 16 == 0)
    run(Unit<16>());
  else if (all % 4 == 0)
    run(Unit<4>());
  else if (all % 2 == 0)
    run(Unit<2>());
  else
    run(Unit<1>());
}

template <typename U>
U* units(const Tensor& tensor) {
  return static_cast<U*>(tensor.raw());
}

unsigned row_count(const Tensor& rows) { return static_cast<unsigned>(rows.size()); }

void embedding_forward(const Stream& stream, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y) {
  with_units(table, y, [&](auto unit, int64_t width) {
    using U = decltype(unit);
    simt::launch(look_up<U>, row_count(token_ids), kThreads, 0, stream, pointer<int32_t>(token_ids),
                 vocab_begin, table.rows(), units<U>(table), width, units<U>(y));
  });
}

void embedding_backward(const Stream& stream, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable) {
  for_float_type(dy.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(add_rows<T>, dim3(blocks_for(dy.cols(), kThreads), kParts), kThreads, 0, stream,
                 pointer<int32_t>(token_ids), token_ids.size(), vocab_begin, dtable.rows(),
                 pointer<T>(dy), dtable.cols(), pointer<float>(dtable));
  });
}

void gather_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  with_units(x, y, [&](auto unit, int64_t width) {
    using U = decltype(unit);
    simt::launch(gather<U>, row_count(rows), kThreads, 0, stream, units<U>(x),
                 pointer<int32_t>(rows), width, units<U>(y));
  });
}

void scatter_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  with_units(x, y, [&](auto unit, int64_t width) {
    using U = decltype(unit);
    simt::launch(scatter<U>, row_count(rows), kThreads, 0, stream, units<U>(x),
                 pointer<int32_t>(rows), width, units<U>(y));
  });
}

}  // namespace

const EmbeddingKernels kEmbedding = {.embedding_forward = embedding_forward,
                                     .embedding_backward = embedding_backward,
                                     .gather_rows = gather_rows,
                                     .scatter_rows = scatter_rows};

}  // namespace lynceus::kernels::cuda
