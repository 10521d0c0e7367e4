#include "kernels/embedding.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/embedding.h"

namespace lynceus::kernels {

using cpu::In;

void embedding_forward(const Stream& stream, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y) {
  constexpr const char* kKernel = "embedding_forward";
  check_vector(kKernel, "token_ids", token_ids, token_ids.size(), DType::kI32);
  check_activation(kKernel, "table", table, table.rows(), table.cols(), table.dtype());
  check_activation(kKernel, "y", y, token_ids.size(), table.cols(), table.dtype());
  if (stream.device().is_cpu())
    cpu::kEmbedding.embedding_forward(stream, token_ids, table, vocab_begin, y);
  else
    cuda::kEmbedding.embedding_forward(stream, token_ids, table, vocab_begin, y);
}

void embedding_backward(const Stream& stream, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable) {
  constexpr const char* kKernel = "embedding_backward";
  check_vector(kKernel, "token_ids", token_ids, token_ids.size(), DType::kI32);
  check_matrix(kKernel, "dtable", dtable, dtable.rows(), dtable.cols());
  check_activation(kKernel, "dy", dy, token_ids.size(), dtable.cols(), dy.dtype());
  if (stream.device().is_cpu())
    cpu::kEmbedding.embedding_backward(stream, token_ids, In(stream, dy), vocab_begin, dtable);
  else
    cuda::kEmbedding.embedding_backward(stream, token_ids, dy, vocab_begin, dtable);
}

void gather_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  constexpr const char* kKernel = "gather_rows";
  check_vector(kKernel, "rows", rows, rows.size(), DType::kI32);
  check_matrix(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_matrix(kKernel, "y", y, rows.size(), x.cols(), x.dtype());
  if (stream.device().is_cpu())
    cpu::kEmbedding.gather_rows(stream, x, rows, y);
  else
    cuda::kEmbedding.gather_rows(stream, x, rows, y);
}

void scatter_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  constexpr const char* kKernel = "scatter_rows";
  check_vector(kKernel, "rows", rows, rows.size(), DType::kI32);
  check_matrix(kKernel, "y", y, y.rows(), y.cols(), y.dtype());
  check_matrix(kKernel, "x", x, rows.size(), y.cols(), y.dtype());
  if (stream.device().is_cpu())
    cpu::kEmbedding.scatter_rows(stream, x, rows, y);
  else
    cuda::kEmbedding.scatter_rows(stream, x, rows, y);
}

}  // namespace lynceus::kernels
