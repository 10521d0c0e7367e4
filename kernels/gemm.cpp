// A packed f32 weight is a transposed copy, so that the product reads both operands along their
// rows: measured as fast as the library's own blocked order from 64 rows up, it needs no plan for
// each number of rows and costs the bytes of the weight. Rows whose stride would be a multiple of
// 4 KiB get one more cache line, because they would all map to the same few lines of the caches.
//
// bf16 products go to kernels/cpu/bf16_gemm.h if the processor multiplies bf16 and they are large
// enough; otherwise the factors are widened. A weight that has to be widened is not packed:
// widening one of 4096 x 4096 at each call is 8 % of a product of 512 rows, 20 to 30 % of one of
// 64, and a widened copy would be twice its bytes.
#include "kernels/gemm.h"

#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/bf16_gemm.h"
#include "kernels/cpu/float32.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/row_gemm.h"
#include "kernels/cpu/weight_gradient.h"
#include "kernels/device/gemm.h"
#include "kernels/elementwise.h"

namespace lynceus::kernels {
namespace {

// Tensor::rows() of a tensor without columns is 0, so rows come from the side that has columns, and
// a weight's from its first axis.
int64_t rows_of(const Tensor& x, const Tensor& y) { return x.cols() > 0 ? x.rows() : y.rows(); }

void check_forward(const char* kernel, const Tensor& x, DType dtype, int64_t out, int64_t in,
                   const Tensor* bias, const Tensor& y, bool y_may_be_f32 = false) {
  const int64_t rows = rows_of(x, y);
  check_activation(kernel, "y", y, rows, out, y_may_be_f32 ? y.dtype() : dtype);
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

bool is_bf16_product(const Tensor& factor, int64_t m, int64_t n, int64_t k) {
  return factor.dtype() == DType::kBf16 && cpu::pays_in_bf16(m, n, k);
}

cpu::Bf16Gemm forward_product(int64_t rows, int64_t out, int64_t in, Activation activation) {
  return {
      .m = rows, .n = out, .k = in, .b_transposed = true, .gelu = activation == Activation::kGelu};
}

/// dw += dyᵀ·x
void weight_gradient_on_cpu(const Stream& stream, int64_t rows, const Tensor& dy, const Tensor& x,
                            const Tensor& dw) {
  const cpu::Bf16Gemm product{
      .m = dy.cols(), .n = x.cols(), .k = rows, .a_transposed = true, .accumulate = true};
  if (is_bf16_product(dy, product.m, product.n, product.k) &&
      cpu::bf16_gemm(stream, product, dy, x, nullptr, dw))
    return;
  const cpu::In wide_dy(stream, dy), wide_x(stream, x);
  const Tensor &rows_out = wide_dy, &rows_in = wide_x;
  cpu::gemm_backward_weight(stream, dy.cols(), x.cols(), rows, rows_out.data<float>(),
                            rows_in.data<float>(), dw.data<float>());
}

/// The product of kRowGroup rows at a time, so that the library always chooses the same algorithm.
/// The groups begin at addresses of the same alignment.
void forward_in_groups(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                       const Tensor& y, Activation activation) {
  constexpr int64_t kGroup = PackedWeight::kRowGroup;
  const int64_t rows = y.rows(), in = w.cols(), out = w.dim(0);
  const Tensor from = x.reshape({rows, in}), to = y.reshape({rows, out});
  const Tensor x_group = Tensor::zeros(stream, {kGroup, in}, x.dtype());
  const Tensor y_group = Tensor::empty(stream, {kGroup, out}, y.dtype());
  for (int64_t begin = 0; begin < rows; begin += kGroup) {
    const int64_t count = std::min(kGroup, rows - begin);
    x_group.slice(0, count).copy_from(from.slice(begin, count));
    cuda::kGemm.linear_forward(stream, x_group, w, bias, y_group, activation);
    to.slice(begin, count).copy_from(y_group.slice(0, count));
  }
}

void check_weight(const char* kernel, const Tensor& w) {
  check_activation(kernel, "w", w, w.rows(), w.cols(), w.dtype());
  if (w.rank() != 2) throw InternalError("{}: w is {}, expected a matrix", kernel, description(w));
}

}  // namespace

/// One of the four orders.
struct PackedWeight::Packed {
  int64_t out = 0;
  int64_t in = 0;
  PackedOrder order = PackedOrder::kFast;
  int64_t parts = 1;
  Tensor panels = {};      // kernels/cpu/row_gemm.h
  Tensor transposed = {};  // [in, out or a cache line more]
  Tensor plain = {};       // [out, in]
  std::shared_ptr<const cpu::Bf16Weight> bf16 = nullptr;
};

void linear_forward(const Stream& stream, const Tensor& x, const Tensor& w, const Tensor* bias,
                    const Tensor& y, Activation activation) {
  check_weight("linear_forward", w);
  check_forward("linear_forward", x, w.dtype(), w.dim(0), w.cols(), bias, y);
  if (!stream.device().is_cpu())
    return cuda::kGemm.linear_forward(stream, x, w, bias, y, activation);
  const int64_t rows = rows_of(x, y), out = w.dim(0), in = w.cols();
  if (is_bf16_product(w, rows, out, in) &&
      cpu::bf16_gemm(stream, forward_product(rows, out, in, activation), x, w, bias, y))
    return;
  const cpu::In wide(stream, w);
  const Tensor& weight = wide;
  forward_on_cpu(stream, cpu::In(stream, x), {weight.data<float>(), in, true}, out, in, bias,
                 cpu::Out(stream, y), activation);
}

void linear_forward(const Stream& stream, const Tensor& x, const PackedWeight& w,
                    const Tensor* bias, const Tensor& y, Activation activation) {
  constexpr const char* kKernel = "linear_forward (packed)";
  if (!w.defined()) throw InternalError("{}: the packed weight is undefined", kKernel);
  const PackedWeight::Packed& packed = *w.packed_;
  const int64_t out = packed.out, in = packed.in;
  if (packed.panels.defined()) {
    check_forward(kKernel, x, packed.panels.dtype(), out, in, bias, y, /*y_may_be_f32=*/true);
    return cpu::row_gemm(
        stream, rows_of(x, y), out, in, packed.parts, cpu::In(stream, x), packed.panels,
        cpu::Out(stream, y),
        {bias == nullptr ? nullptr : bias->data<float>(), activation == Activation::kGelu});
  }
  if (packed.order == PackedOrder::kRows) {
    check_forward(kKernel, x, packed.plain.dtype(), out, in, bias, y, /*y_may_be_f32=*/true);
    if (in == 0 || y.size() == 0)
      return cuda::kGemm.linear_forward(stream, x, packed.plain, bias, y, activation);
    return forward_in_groups(stream, x, packed.plain, bias, y, activation);
  }
  if (packed.plain.defined()) return linear_forward(stream, x, packed.plain, bias, y, activation);
  if (packed.bf16 != nullptr) {
    check_forward(kKernel, x, DType::kBf16, out, in, bias, y);
    const auto product = forward_product(rows_of(x, y), out, in, activation);
    if (cpu::bf16_gemm(stream, product, x, *packed.bf16, bias, y)) return;
    return linear_forward(stream, x, cpu::unpack_bf16(stream, *packed.bf16), bias, y, activation);
  }
  check_forward(kKernel, x, DType::kF32, out, in, bias, y);
  const Tensor& rows = packed.transposed;
  forward_on_cpu(stream, x, {rows.data<float>(), rows.cols()}, out, in, bias, y, activation);
}

void linear_backward_input(const Stream& stream, const Tensor& dy, const Tensor& w,
                           const Tensor& dx, bool accumulate) {
  constexpr const char* kKernel = "linear_backward_input";
  check_weight(kKernel, w);
  const int64_t rows = rows_of(dx, dy);
  check_activation(kKernel, "dy", dy, rows, w.dim(0), w.dtype());
  check_activation(kKernel, "dx", dx, rows, w.cols(), w.dtype());
  if (!stream.device().is_cpu())
    return cuda::kGemm.linear_backward_input(stream, dy, w, dx, accumulate);
  const cpu::Bf16Gemm product{.m = rows, .n = w.cols(), .k = w.dim(0), .accumulate = accumulate};
  if (is_bf16_product(w, rows, w.cols(), w.dim(0)) &&
      cpu::bf16_gemm(stream, product, dy, w, nullptr, dx))
    return;
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
  if (stream.device().is_cpu())
    weight_gradient_on_cpu(stream, rows, dy, x, dw);
  else
    cuda::kGemm.linear_backward_weight(stream, dy, x, dw);
  if (dbias != nullptr) column_sum(stream, dy, *dbias);
}

void search_products(const Stream& stream, bool search) {
  if (!stream.device().is_cpu()) cuda::kGemm.search_products(stream, search);
}

bool searches_products(const Stream& stream) {
  return !stream.device().is_cpu() && cuda::kGemm.searches_products(stream);
}

PackedWeight::PackedWeight(const Stream& stream, const Tensor& w, PackedOrder order,
                           int64_t parts) {
  check_weight("PackedWeight", w);
  Packed packed{.out = w.dim(0), .in = w.cols(), .order = order, .parts = parts};
  if (order == PackedOrder::kRows) {
    if (stream.device().is_cpu())
      packed.panels = cpu::pack_panels(stream, w);
    else
      packed.plain = w;
  } else if (!stream.device().is_cpu() || w.dtype() != DType::kF32) {
    // A packed weight is multiplied in bf16 for any number of rows, so decide for few.
    constexpr int64_t kFewRows = 64;
    if (stream.device().is_cpu() && is_bf16_product(w, kFewRows, packed.out, packed.in))
      packed.bf16 = cpu::pack_bf16(stream, w);
    if (packed.bf16 == nullptr) packed.plain = w;
  } else {
    constexpr int64_t kPageFloats = 1024, kLineFloats = 16;
    const int64_t stride = packed.out + (packed.out % kPageFloats == 0 ? kLineFloats : 0);
    packed.transposed =
        Tensor::empty(stream, {packed.in, stride}, DType::kF32, MemoryOwner::kFrozenWeight);
    cpu::transpose(packed.out, packed.in, w.data<float>(), packed.transposed.data<float>(), stride);
  }
  packed_ = std::make_shared<const Packed>(std::move(packed));
}

int64_t PackedWeight::out_features() const { return defined() ? packed_->out : 0; }
int64_t PackedWeight::in_features() const { return defined() ? packed_->in : 0; }

size_t PackedWeight::bytes() const {
  if (!defined()) return 0;
  if (packed_->bf16 != nullptr) return cpu::bytes_of(*packed_->bf16);
  if (packed_->panels.defined()) return packed_->panels.bytes();
  return packed_->plain.defined() ? packed_->plain.bytes() : packed_->transposed.bytes();
}

bool PackedWeight::is_packed_bf16() const { return defined() && packed_->bf16 != nullptr; }

}  // namespace lynceus::kernels
