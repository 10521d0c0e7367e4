// Checks of the linear maps, then the device's implementation.
//
// A packed weight is a transposed or plain copy, whichever makes the product read both operands
// along their rows: that was measured as fast as the library's own blocked order from 64 rows up,
// needs no plan for each number of rows, and costs exactly the bytes of the weight.
#include "kernels/gemm.h"

#include "kernels/checks.h"
#include "kernels/cpu/gemm.h"
#include "kernels/elementwise.h"

namespace lynceus::kernels {

struct PackedWeight::Impl {
  Tensor storage;  // kForward: [in, out]; kBackwardInput: [out, in]
  Use use = Use::kForward;
  int64_t out = 0;
  int64_t in = 0;
};

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
  cpu::gemm(rows, out, in, {x.data<float>(), in}, weight, false, y.data<float>(),
            epilogue_of(bias, activation));
}

void backward_input(const char* kernel, const Stream& stream, const Tensor& dy,
                    const cpu::GemmOperand& weight, int64_t out, int64_t in, const Tensor& dx,
                    bool accumulate) {
  const int64_t rows = rows_of(dx, dy);
  check_linear(kernel, stream, "dy", dy, "dx", dx, rows, out, in);
  cpu::gemm(rows, in, out, {dy.data<float>(), out}, weight, accumulate, dx.data<float>());
}

void check_weight(const char* kernel, const Tensor& w) {
  check_matrix(kernel, "w", w, w.rows(), w.cols());
}

const PackedWeight::Impl& unpack(const char* kernel, const PackedWeight& w, PackedWeight::Use use) {
  if (!w.defined()) throw InternalError("{}: the packed weight is undefined", kernel);
  if (w.impl().use != use)
    throw InternalError("{}: the weight [{}, {}] is packed for the other direction", kernel,
                        w.out_features(), w.in_features());
  return w.impl();
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
  const auto& packed = unpack(kKernel, w, PackedWeight::Use::kForward);
  forward(kKernel, stream, x, {packed.storage.data<float>(), packed.out}, packed.out, packed.in,
          bias, y, activation);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate) {
  check_weight("linear_backward_input", w);
  backward_input("linear_backward_input", stream, dy, {w.data<float>(), w.cols()}, w.rows(),
                 w.cols(), dx, accumulate);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const PackedWeight& w,
                           const Tensor& dx, bool accumulate) {
  constexpr const char* kKernel = "linear_backward_input (packed)";
  const auto& packed = unpack(kKernel, w, PackedWeight::Use::kBackwardInput);
  backward_input(kKernel, stream, dy, {packed.storage.data<float>(), packed.in}, packed.out,
                 packed.in, dx, accumulate);
}

void linear_backward_weight(const Stream& stream, const Tensor& dy, const Tensor& x,
                            const Tensor& dw, const Tensor* dbias) {
  constexpr const char* kKernel = "linear_backward_weight";
  const int64_t rows = rows_of(x, dy);
  check_linear(kKernel, stream, "dy", dy, "x", x, rows, dy.cols(), x.cols());
  check_matrix(kKernel, "dw", dw, dy.cols(), x.cols());
  check_vector(kKernel, "dbias", dbias, dy.cols());
  cpu::gemm_backward_weight(dy.cols(), x.cols(), rows, dy.data<float>(), x.data<float>(),
                            dw.data<float>());
  if (dbias != nullptr) column_sum(stream, dy, *dbias);
}

PackedWeight::PackedWeight(const Stream& stream, const Tensor& w, Use use) {
  constexpr const char* kKernel = "PackedWeight";
  check_on_cpu(kKernel, stream);
  check_weight(kKernel, w);
  const bool forward = use == Use::kForward;
  const int64_t out = w.rows();
  const int64_t in = w.cols();
  Tensor storage = Tensor::empty(stream, forward ? Shape{in, out} : Shape{out, in}, DType::kF32,
                                 MemoryOwner::kFrozenWeight);
  if (forward)
    cpu::transpose(out, in, w.data<float>(), storage.data<float>());
  else
    storage.copy_from(w);
  impl_ = std::make_shared<const Impl>(Impl{std::move(storage), use, out, in});
}

int64_t PackedWeight::out_features() const { return impl_->out; }
int64_t PackedWeight::in_features() const { return impl_->in; }
size_t PackedWeight::bytes() const { return impl_->storage.bytes(); }

}  // namespace lynceus::kernels
