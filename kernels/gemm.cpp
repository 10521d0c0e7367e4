// Checks of the linear maps, then the device's implementation.
//
// A packed weight is a transposed copy, so that the product reads both operands along their rows:
// that was measured as fast as the library's own blocked order from 64 rows up, needs no plan for
// each number of rows, and costs the bytes of the weight. Rows that would begin a multiple of 4 KiB
// apart get a cache line more: they would all fall into the same few lines of the caches.
#include "kernels/gemm.h"

#include "kernels/checks.h"
#include "kernels/cpu/gemm.h"
#include "kernels/elementwise.h"

namespace lynceus::kernels {
namespace {

void check_linear(const char* kernel, const Stream& stream, const char* wide,
                  const Tensor& rows_out, const char* narrow, const Tensor& rows_in, int64_t rows,
                  int64_t out, int64_t in) {
  check_on_cpu(kernel, stream);
  check_matrix(kernel, wide, rows_out, rows, out);
  check_matrix(kernel, narrow, rows_in, rows, in);
}

// Tensor::rows() of a tensor without columns is 0, so rows come from whichever side has columns.
int64_t rows_of(const Tensor& x, const Tensor& y) { return x.cols() > 0 ? x.rows() : y.rows(); }

const cpu::GemmEpilogue epilogue_of(const Tensor* bias, Activation activation) {
  return {bias == nullptr ? nullptr : bias->data<float>(), activation == Activation::kGelu};
}

void forward(const char* kernel, const Stream& stream, const Tensor& x,
             const cpu::GemmOperand& weight, int64_t out, int64_t in, const Tensor* bias,
             const Tensor& y, Activation activation) {
  const int64_t rows = rows_of(x, y);
  check_linear(kernel, stream, "y", y, "x", x, rows, out, in);
  check_vector(kernel, "bias", bias, out);
  cpu::gemm(stream, rows, out, in, {x.data<float>(), in}, weight, false, y.data<float>(),
            epilogue_of(bias, activation));
}

void check_weight(const char* kernel, const Tensor& w) {
  check_matrix(kernel, "w", w, w.rows(), w.cols());
}

}  // namespace

void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation) {
  check_weight("linear_forward", w);
  forward("linear_forward", stream, x, {w.data<float>(), w.cols(), true}, w.rows(), w.cols(), bias,
          y, activation);
}

void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation) {
  constexpr const char* kKernel = "linear_forward (packed)";
  if (!w.defined()) throw InternalError("{}: the packed weight is undefined", kKernel);
  const Tensor& rows = w.transposed();
  forward(kKernel, stream, x, {rows.data<float>(), rows.cols()}, w.out_features(), w.in_features(),
          bias, y, activation);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate) {
  constexpr const char* kKernel = "linear_backward_input";
  check_weight(kKernel, w);
  const int64_t rows = rows_of(dx, dy);
  check_linear(kKernel, stream, "dy", dy, "dx", dx, rows, w.rows(), w.cols());
  cpu::gemm(stream, rows, w.cols(), w.rows(), {dy.data<float>(), w.rows()},
            {w.data<float>(), w.cols()}, accumulate, dx.data<float>());
}

void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw, const Tensor* dbias) {
  constexpr const char* kKernel = "linear_backward_weight";
  const int64_t rows = rows_of(x, dy);
  check_linear(kKernel, stream, "dy", dy, "x", x, rows, dy.cols(), x.cols());
  check_matrix(kKernel, "dw", dw, dy.cols(), x.cols());
  check_vector(kKernel, "dbias", dbias, dy.cols());
  cpu::gemm_backward_weight(stream, dy.cols(), x.cols(), rows, dy.data<float>(), x.data<float>(),
                            dw.data<float>());
  if (dbias != nullptr) column_sum(stream, dy, *dbias);
}

PackedWeight::PackedWeight(const Stream& stream, const Tensor& w) {
  constexpr const char* kKernel = "PackedWeight";
  check_on_cpu(kKernel, stream);
  check_weight(kKernel, w);
  out_features_ = w.rows();
  constexpr int64_t kPageFloats = 1024, kLineFloats = 16;
  const int64_t stride = out_features_ + (out_features_ % kPageFloats == 0 ? kLineFloats : 0);
  transposed_ = Tensor::empty(stream, {w.cols(), stride}, DType::kF32, MemoryOwner::kFrozenWeight);
  cpu::transpose(w.rows(), w.cols(), w.data<float>(), transposed_.data<float>(), stride);
}

}  // namespace lynceus::kernels
