// Checks of the embedding and row-moving kernels, then the device's implementation.
#include "kernels/embedding.h"

#include "kernels/checks.h"
#include "kernels/cpu/embedding.h"

namespace lynceus::kernels {

void embedding_forward(const Stream& stream, const Tensor& token_ids, const Tensor& table,
                       int64_t vocab_begin, const Tensor& y) {
  constexpr const char* kKernel = "embedding_forward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "token_ids", token_ids, token_ids.size(), DType::kI32);
  check_matrix(kKernel, "table", table, table.rows(), table.cols());
  check_matrix(kKernel, "y", y, token_ids.size(), table.cols());
  cpu::embedding_forward(token_ids, table, vocab_begin, y);
}

void embedding_backward(const Stream& stream, const Tensor& token_ids, const Tensor& dy,
                        int64_t vocab_begin, const Tensor& dtable) {
  constexpr const char* kKernel = "embedding_backward";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "token_ids", token_ids, token_ids.size(), DType::kI32);
  check_matrix(kKernel, "dtable", dtable, dtable.rows(), dtable.cols());
  check_matrix(kKernel, "dy", dy, token_ids.size(), dtable.cols());
  cpu::embedding_backward(token_ids, dy, vocab_begin, dtable);
}

void gather_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  constexpr const char* kKernel = "gather_rows";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "rows", rows, rows.size(), DType::kI32);
  check_matrix(kKernel, "x", x, x.rows(), x.cols(), x.dtype());
  check_matrix(kKernel, "y", y, rows.size(), x.cols(), x.dtype());
  cpu::gather_rows(x, rows, y);
}

void scatter_rows(const Stream& stream, const Tensor& x, const Tensor& rows, const Tensor& y) {
  constexpr const char* kKernel = "scatter_rows";
  check_on_cpu(kKernel, stream);
  check_vector(kKernel, "rows", rows, rows.size(), DType::kI32);
  check_matrix(kKernel, "y", y, y.rows(), y.cols(), y.dtype());
  check_matrix(kKernel, "x", x, rows.size(), y.cols(), y.dtype());
  cpu::scatter_rows(x, rows, y);
}

}  // namespace lynceus::kernels
