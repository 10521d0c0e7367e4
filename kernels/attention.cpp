#include "kernels/attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/checks.h"
#include "kernels/cpu/float32.h"
#include "kernels/device/attention.h"

namespace lynceus::kernels {
namespace {

void check_shape(const char* kernel, const AttentionShape& shape, const CumulativeLengths& q_begin,
                 const CumulativeLengths& k_begin) {
  if (shape.heads < 1 || shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0 ||
      shape.head_dim < 1)
    throw InternalError("{}: {} query heads over {} key heads of {}", kernel, shape.heads,
                        shape.kv_heads, shape.head_dim);
  if (!(shape.scale > 0)) throw InternalError("{}: scale {}", kernel, shape.scale);
  if (q_begin.host.empty() || q_begin.host.size() != k_begin.host.size())
    throw InternalError("{}: {} sequence boundaries of queries, {} of keys", kernel,
                        q_begin.host.size(), k_begin.host.size());
  if (shape.causal && q_begin.host != k_begin.host)
    throw InternalError("{}: causal attention needs equal query and key lengths", kernel);
}

}  // namespace

CumulativeLengths::CumulativeLengths(const Stream& stream, std::vector<int32_t> begins)
    : host(std::move(begins)) {
  LYNCEUS_CHECK(!host.empty() && host.front() == 0 && std::is_sorted(host.begin(), host.end()),
                "sequence boundaries [{}] do not ascend from 0", fmt::join(host, ", "));
  device = Tensor::from(stream, {static_cast<int64_t>(host.size())}, host);
}

void attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin, const Tensor& out, const Tensor* lse) {
  constexpr const char* kKernel = "attention_forward";
  check_shape(kKernel, shape, q_begin, k_begin);
  const int64_t q_width = shape.heads * shape.head_dim;
  const int64_t k_width = shape.kv_heads * shape.head_dim;
  check_activation(kKernel, "q", q, q_begin.tokens(), q_width, q.dtype());
  check_activation(kKernel, "k", k, k_begin.tokens(), k_width, q.dtype());
  check_activation(kKernel, "v", v, k_begin.tokens(), k_width, q.dtype());
  check_activation(kKernel, "out", out, q_begin.tokens(), q_width, q.dtype());
  check_matrix(kKernel, "lse", lse, shape.heads, q_begin.tokens());
  if (stream.device().is_cpu())
    cpu::kAttention.attention_forward(stream, shape, cpu::In(stream, q), cpu::In(stream, k),
                                      cpu::In(stream, v), q_begin, k_begin, cpu::Out(stream, out),
                                      lse);
  else
    cuda::kAttention.attention_forward(stream, shape, q, k, v, q_begin, k_begin, out, lse);
}

void attention_backward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                        const Tensor& dout, const CumulativeLengths& q_begin,
                        const CumulativeLengths& k_begin, const Tensor& dq, const Tensor& dk,
                        const Tensor& dv) {
  constexpr const char* kKernel = "attention_backward";
  check_shape(kKernel, shape, q_begin, k_begin);
  const int64_t q_width = shape.heads * shape.head_dim;
  const int64_t k_width = shape.kv_heads * shape.head_dim;
  check_activation(kKernel, "q", q, q_begin.tokens(), q_width, q.dtype());
  check_activation(kKernel, "k", k, k_begin.tokens(), k_width, q.dtype());
  check_activation(kKernel, "v", v, k_begin.tokens(), k_width, q.dtype());
  check_activation(kKernel, "out", out, q_begin.tokens(), q_width, q.dtype());
  check_matrix(kKernel, "lse", lse, shape.heads, q_begin.tokens());
  check_activation(kKernel, "dout", dout, q_begin.tokens(), q_width, q.dtype());
  check_activation(kKernel, "dq", dq, q_begin.tokens(), q_width, q.dtype());
  check_activation(kKernel, "dk", dk, k_begin.tokens(), k_width, q.dtype());
  check_activation(kKernel, "dv", dv, k_begin.tokens(), k_width, q.dtype());
  if (stream.device().is_cpu())
    cpu::kAttention.attention_backward(
        stream, shape, cpu::In(stream, q), cpu::In(stream, k), cpu::In(stream, v),
        cpu::In(stream, out), lse, cpu::In(stream, dout), q_begin, k_begin, cpu::Out(stream, dq),
        cpu::Out(stream, dk), cpu::Out(stream, dv));
  else
    cuda::kAttention.attention_backward(stream, shape, q, k, v, out, lse, dout, q_begin, k_begin,
                                        dq, dk, dv);
}

}  // namespace lynceus::kernels
