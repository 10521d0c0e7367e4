#include "kernels/device/embedding.h"

#include <cstring>

#include "kernels/cpu/parallel.h"

namespace lynceus::kernels::cpu {
namespace {

void check_row_numbers(const char* kernel, const Tensor& rows, int64_t limit) {
  for (const int32_t row : rows.span<int32_t>())
    if (row < 0 || row >= limit)
      throw InternalError("{}: row number {}, expected 0..{}", kernel, row, limit - 1);
}

void embedding_forward(const Stream& /*stream*/, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y) {
  const int64_t bytes = y.cols() * static_cast<int64_t>(size_of(y.dtype()));
  const int64_t vocabulary = table.rows();
  const int32_t* const ids = token_ids.data<int32_t>();
  const char* const in = static_cast<const char*>(table.raw());
  char* const out = static_cast<char*>(y.raw());
  for_each_row(y.rows(), y.cols(), [=](int64_t row) {
    const int64_t local = ids[row] < 0 ? -1 : ids[row] - vocab_begin;
    if (local >= 0 && local < vocabulary)
      std::memcpy(out + row * bytes, in + local * bytes, static_cast<size_t>(bytes));
    else
      std::memset(out + row * bytes, 0, static_cast<size_t>(bytes));
  });
}

void embedding_backward(const Stream& /*stream*/, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable) {
  const int64_t rows = dy.rows();
  const int64_t width = dy.cols();
  const int64_t vocabulary = dtable.rows();
  const int32_t* const ids = token_ids.data<int32_t>();
  const float* const in = dy.data<float>();
  float* const out = dtable.data<float>();
  // A token may occur in many rows, so threads divide the columns, not the rows: each adds in row
  // order.
  constexpr int64_t kColumns = 256;
  const auto add_columns = [=](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t local = ids[row] < 0 ? -1 : ids[row] - vocab_begin;
      if (local < 0 || local >= vocabulary) continue;
      const float* const from = in + row * width;
      float* const to = out + local * width;
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) to[i] += from[i];
    }
  };
  for_each_block<kColumns>(width, add_columns, rows);
}

void gather_rows(const Stream& /*stream*/, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_row_numbers("gather_rows", rows, x.rows());
  const int32_t* const from = rows.data<int32_t>();
  const char* const in = static_cast<const char*>(x.raw());
  char* const out = static_cast<char*>(y.raw());
  const int64_t bytes = x.cols() * static_cast<int64_t>(size_of(x.dtype()));
  for_each_row(y.rows(), x.cols(), [=](int64_t row) {
    std::memcpy(out + row * bytes, in + from[row] * bytes, static_cast<size_t>(bytes));
  });
}

void scatter_rows(const Stream& /*stream*/, const Tensor& x, const Tensor& rows, const Tensor& y) {
  check_row_numbers("scatter_rows", rows, y.rows());
  const int32_t* const to = rows.data<int32_t>();
  const char* const in = static_cast<const char*>(x.raw());
  char* const out = static_cast<char*>(y.raw());
  const int64_t bytes = x.cols() * static_cast<int64_t>(size_of(x.dtype()));
  for_each_row(x.rows(), x.cols(), [=](int64_t row) {
    std::memcpy(out + to[row] * bytes, in + row * bytes, static_cast<size_t>(bytes));
  });
}

}  // namespace

const EmbeddingKernels kEmbedding = {.embedding_forward = embedding_forward,
                                     .embedding_backward = embedding_backward,
                                     .gather_rows = gather_rows,
                                     .scatter_rows = scatter_rows};

}  // namespace lynceus::kernels::cpu
