// Checks of the linear maps, then the device's implementation.
//
// A packed weight is a transposed copy, so that the product reads both operands along their rows:
// that was measured as fast as the library's own blocked order from 64 rows up, needs no plan for
// each number of rows, and costs the bytes of the weight. Rows that would begin a multiple of 4 KiB
// apart get a cache line more: they would all fall into the same few lines of the caches.
//
// A packed bf16 weight stays as it lies: widening one of 4096 x 4096 at each call is 8 % of a
// product of 512 rows, 20 to 30 % of one of 64, and a widened copy would be twice its bytes.
#include "kernels/gemm.h"

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cuda/gemm.h"
#include "kernels/elementwise.h"

namespace lynceus::kernels {
namespace {

// Tensor::rows() of a tensor without columns is 0, so rows come from whichever side has columns,
// and a weight's from its first axis.
int64_t rows_of(const Tensor& x, const Tensor& y) { return x.cols() > 0 ? x.rows() : y.rows(); }

void check_forward(const char* kernel, const Tensor& x, DType dtype, int64_t out, int64_t in,
                   const Tensor* bias, const Tensor& y) {
  const int64_t rows = rows_of(x, y);
  check_activation(kernel, "y", y, rows, out, dtype);
  check_activation(kernel, "x", x, rows, in, dtype);
  check_vector(kernel, "bias", bias, out);
}

/// `weight` [in, out] or, transposed, [out, in]; all f32.
void forward_on_cpu(const Stream& stream, const Tensor& x, const cpu::GemmOperand& weight,
                    int64_t out, int64_t in, const Tensor* bias, const Tensor& y,
                    Activation activation) {
  cpu::gemm(stream, rows_of(x, y), out, in, {x.data<float>(), in}, weight, false, y.data<float>(),
            {bias == nullptr ? nullptr : bias->data<float>(), activation == Activation::kGelu});
}

void check_weight(const char* kernel, const Tensor& w) {
  check_activation(kernel, "w", w, w.rows(), w.cols(), w.dtype());
  if (w.rank() != 2) throw InternalError("{}: w is {}, expected a matrix", kernel, description(w));
}

}  // namespace

void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation) {
  check_weight("linear_forward", w);
  check_forward("linear_forward", x, w.dtype(), w.dim(0), w.cols(), bias, y);
  if (!stream.device().is_cpu()) return cuda::linear_forward(stream, x, w, bias, y, activation);
  const cpu::In wide(stream, w);
  const Tensor& weight = wide;
  forward_on_cpu(stream, cpu::In(stream, x), {weight.data<float>(), w.cols(), true}, w.dim(0),
                 w.cols(), bias, cpu::Out(stream, y), activation);
}

void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation) {
  constexpr const char* kKernel = "linear_forward (packed)";
  if (!w.defined()) throw InternalError("{}: the packed weight is undefined", kKernel);
  if (w.plain().defined()) return linear_forward(stream, x, w.plain(), bias, y, activation);
  check_forward(kKernel, x, DType::kF32, w.out_features(), w.in_features(), bias, y);
  const Tensor& rows = w.transposed();
  forward_on_cpu(stream, x, {rows.data<float>(), rows.cols()}, w.out_features(), w.in_features(),
                 bias, y, activation);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate) {
  constexpr const char* kKernel = "linear_backward_input";
  check_weight(kKernel, w);
  const int64_t rows = rows_of(dx, dy);
  check_activation(kKernel, "dy", dy, rows, w.dim(0), w.dtype());
  check_activation(kKernel, "dx", dx, rows, w.cols(), w.dtype());
  if (!stream.device().is_cpu()) return cuda::linear_backward_input(stream, dy, w, dx, accumulate);
  const cpu::In wide_dy(stream, dy), wide_w(stream, w);
  const cpu::InOut wide_dx(stream, dx);
  const Tensor &from = wide_dy, &weight = wide_w, &into = wide_dx;
  cpu::gemm(stream, rows, w.cols(), w.dim(0), {from.data<float>(), w.dim(0)},
            {weight.data<float>(), w.cols()}, accumulate, into.data<float>());
}

void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw, const Tensor* dbias) {
  constexpr const char* kKernel = "linear_backward_weight";
  const int64_t rows = rows_of(x, dy);
  check_activation(kKernel, "dy", dy, rows, dy.cols(), dy.dtype());
  check_activation(kKernel, "x", x, rows, x.cols(), dy.dtype());
  check_matrix(kKernel, "dw", dw, dy.cols(), x.cols());
  check_vector(kKernel, "dbias", dbias, dy.cols());
  if (stream.device().is_cpu()) {
    const cpu::In wide_dy(stream, dy), wide_x(stream, x);
    const Tensor &rows_out = wide_dy, &rows_in = wide_x;
    cpu::gemm_backward_weight(stream, dy.cols(), x.cols(), rows, rows_out.data<float>(),
                              rows_in.data<float>(), dw.data<float>());
  } else {
    cuda::linear_backward_weight(stream, dy, x, dw);
  }
  if (dbias != nullptr) column_sum(stream, dy, *dbias);
}

void search_products(const Stream& stream, bool search) {
  if (!stream.device().is_cpu()) cuda::search_products(stream, search);
}

PackedWeight::PackedWeight(const Stream& stream, const Tensor& w) {
  check_weight("PackedWeight", w);
  out_features_ = w.dim(0);
  in_features_ = w.cols();
  if (!stream.device().is_cpu() || w.dtype() != DType::kF32) {
    plain_ = w;
    return;
  }
  constexpr int64_t kPageFloats = 1024, kLineFloats = 16;
  const int64_t stride = out_features_ + (out_features_ % kPageFloats == 0 ? kLineFloats : 0);
  transposed_ =
      Tensor::empty(stream, {in_features_, stride}, DType::kF32, MemoryOwner::kFrozenWeight);
  cpu::transpose(out_features_, in_features_, w.data<float>(), transposed_.data<float>(), stride);
}

}  // namespace lynceus::kernels
