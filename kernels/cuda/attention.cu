// Chooses the kernels of a call, and computes the first part of backward, the sums delta = Σ dout ·
// out of every row and head.
#include "kernels/device/attention.h"

#include <algorithm>

#include "kernels/cuda/attention_paths.h"

namespace lynceus::kernels::cuda {
namespace {

constexpr int kThreads = 256;

int64_t longest(const std::vector<int32_t>& begins) {
  int64_t most = 0;
  for (size_t s = 0; s + 1 < begins.size(); ++s)
    most = std::max<int64_t>(most, begins[s + 1] - begins[s]);
  return most;
}

AttentionProblem problem_of(const AttentionShape& shape, const CumulativeLengths& q_begin,
                            const CumulativeLengths& k_begin,
                            std::initializer_list<const Tensor*> tensors) {
  constexpr int64_t kPackElements = 8;
  bool packs = true;
  for (const Tensor* tensor : tensors)
    packs = packs && fits_packs(*tensor, shape.head_dim, kPackElements);
  return {pointer<int32_t>(q_begin.device),
          pointer<int32_t>(k_begin.device),
          q_begin.sequences(),
          q_begin.tokens(),
          longest(q_begin.host),
          longest(k_begin.host),
          static_cast<int>(shape.heads),
          static_cast<int>(shape.kv_heads),
          static_cast<int>(shape.head_dim),
          shape.scale,
          shape.causal,
          packs};
}

// Chooses the kernels of a call.
void run(const Stream& stream, const AttentionForward<float>& call) {
  forward_in_f32(stream, call);
}
void run(const Stream& stream, const AttentionBackward<float>& call) {
  backward_in_f32(stream, call);
}
void run(const Stream& stream, const AttentionForward<__nv_bfloat16>& call) {
  if (call.problem.head_dim <= kLargestTensorCoreHead)
    forward_on_tensor_cores(stream, call);
  else
    forward_in_f32(stream, call);
}
void run(const Stream& stream, const AttentionBackward<__nv_bfloat16>& call) {
  if (call.problem.head_dim <= kLargestTensorCoreHead)
    backward_on_tensor_cores(stream, call);
  else
    backward_in_f32(stream, call);
}

// A warp sums one row of one head; delta [heads, rows].
template <typename T>
__global__ void row_products(const T* a, const T* b, int64_t rows, int heads, int columns,
                             float* delta) {
  const int64_t index = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) / simt::kWarp;
  if (index >= rows * heads) return;
  const int64_t at = index * columns;
  float sum = 0;
  for (int column = simt::lane(); column < columns; column += simt::kWarp)
    sum += to_float(a[at + column]) * to_float(b[at + column]);
  sum = warp_sum(sum);
  if (simt::lane() == 0) delta[index % heads * rows + index / heads] = sum;
}

void attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin, const Tensor& out, const Tensor* lse) {
  const AttentionProblem problem = problem_of(shape, q_begin, k_begin, {&q, &k, &v, &out});
  for_float_type(q.dtype(), [&](auto type) {
    using T = decltype(type);
    const AttentionForward<T> call{problem,       pointer<T>(q),   pointer<T>(k),
                                   pointer<T>(v), pointer<T>(out), pointer<float>(lse)};
    run(stream, call);
  });
}

void attention_backward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                        const Tensor& dout, const CumulativeLengths& q_begin,
                        const CumulativeLengths& k_begin, const Tensor& dq, const Tensor& dk,
                        const Tensor& dv) {
  const AttentionProblem problem =
      problem_of(shape, q_begin, k_begin, {&q, &k, &v, &dout, &dq, &dk, &dv});
  const Tensor delta = Tensor::empty(stream, {shape.heads, q_begin.tokens()});
  for_float_type(q.dtype(), [&](auto type) {
    using T = decltype(type);
    simt::launch(row_products<T>, blocks_for(delta.size(), kThreads / simt::kWarp), kThreads, 0,
                 stream, pointer<T>(dout), pointer<T>(out), problem.tokens_q, problem.heads,
                 problem.head_dim, pointer<float>(delta));
    const AttentionBackward<T> call{
        problem,          pointer<T>(q),       pointer<T>(k),         pointer<T>(v),
        pointer<T>(dout), pointer<float>(lse), pointer<float>(delta), pointer<T>(dq),
        pointer<T>(dk),   pointer<T>(dv)};
    run(stream, call);
  });
}

}  // namespace

const AttentionKernels kAttention = {.attention_forward = attention_forward,
                                     .attention_backward = attention_backward};

}  // namespace lynceus::kernels::cuda
