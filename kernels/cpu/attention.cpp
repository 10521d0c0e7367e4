// A work item is one head of one sequence (forward) or one key head with all query heads that read
// it (backward, so that dk and dv have one writer and a fixed order). Scores exist for one block of
// queries at a time, in the thread's own workspace.
#include "kernels/device/attention.h"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/cpu/small_gemm.h"
#include "kernels/cpu/softmax_rows.h"

namespace lynceus::kernels::cpu {
namespace {

// A block of scores should stay in the second-level cache with its operands. Causal blocks have few
// rows, since half of their last columns is wasted.
constexpr int64_t kBlockScores = 1 << 16;
constexpr int64_t kCausalRows = 4 * kTileRows;

/// One head's columns of a packed tensor.
struct Head {
  float* data = nullptr;
  int64_t stride = 0;
  int64_t panel = 0;  ///< if packed in panels: their distance
  float* row(int64_t index) const { return data + index * stride; }
};

/// One sequence: its rows of q and of k.
struct Sequence {
  int64_t q_begin, q_rows, k_begin, k_rows;
};

int64_t block_rows(const AttentionShape& shape, int64_t q_rows, int64_t k_rows) {
  int64_t rows = std::max(kTileRows, kBlockScores / (round_to_lane(k_rows) + 1));
  if (shape.causal) rows = std::min(rows, kCausalRows);
  const int64_t blocks = (q_rows + rows - 1) / rows;
  const int64_t even = (q_rows + blocks - 1) / std::max<int64_t>(blocks, 1);
  return (even + kTileRows - 1) / kTileRows * kTileRows;
}

/// Memory of a thread, allocated in order.
class Workspace {
 public:
  explicit Workspace(float* next) : next_(next) {}
  float* take(int64_t count) {
    float* const taken = next_;
    next_ += round_to_lane(count);
    return taken;
  }

 private:
  float* next_;
};

/// Copies the head's rows to the workspace, contiguous and padded to full vectors. In the packed
/// tensor their stride is often a power of two, so they would evict each other from the first-level
/// cache.
Head copied(const Head& source, int64_t rows, int64_t dim, Workspace& workspace) {
  const int64_t width = round_to_lane(dim);
  const Head copy{workspace.take(rows * width), width};
  pack(rows, dim, source.data, source.stride, copy.data);
  return copy;
}

Head transposed(const Head& source, int64_t rows, int64_t dim, Workspace& workspace) {
  const Head copy{workspace.take(dim * round_to_panel(rows)), kPanel, dim * kPanel};
  pack_transposed(rows, dim, source.data, source.stride, copy.data);
  return copy;
}

Head zeros(int64_t rows, int64_t dim, Workspace& workspace) {
  const int64_t width = round_to_lane(dim);
  const Head head{workspace.take(rows * width), width};
  std::fill_n(head.data, rows * width, 0.0f);
  return head;
}

/// c [m, n] = alpha · a·b; a is transposed if a_transposed.
void multiply(int64_t m, int64_t n, int64_t k, const Head& a, bool a_transposed, const Head& b,
              const Head& c, float alpha, bool accumulate) {
  SmallGemm problem;
  problem.m = m;
  problem.n = n;
  problem.k = k;
  problem.a = a.data;
  problem.a_row = a_transposed ? 1 : a.stride;
  problem.a_col = a_transposed ? a.stride : 1;
  problem.b = b.data;
  problem.b_row = b.stride;
  problem.b_panel = b.panel;
  problem.c = c.data;
  problem.c_row = c.stride;
  problem.alpha = alpha;
  problem.accumulate = accumulate;
  small_gemm(problem);
}

/// The arguments of one call, and where its rows begin.
struct Call {
  const AttentionShape& shape;
  const std::vector<int32_t>& q_begin;
  const std::vector<int32_t>& k_begin;

  int64_t sequences() const { return static_cast<int64_t>(q_begin.size()) - 1; }
  int64_t tokens() const { return q_begin.back(); }
  Sequence sequence(int64_t s) const {
    const auto i = static_cast<size_t>(s);
    return {q_begin[i], q_begin[i + 1] - q_begin[i], k_begin[i], k_begin[i + 1] - k_begin[i]};
  }
  Head query_head(const Tensor& tensor, int64_t row, int64_t head) const {
    const int64_t stride = shape.heads * shape.head_dim;
    return {tensor.data<float>() + row * stride + head * shape.head_dim, stride};
  }
  Head key_head(const Tensor& tensor, int64_t row, int64_t head) const {
    const int64_t stride = shape.kv_heads * shape.head_dim;
    return {tensor.data<float>() + row * stride + head * shape.head_dim, stride};
  }
  /// An upper bound for a thread: five times the size of k for copies, transposes and sums, two
  /// copies of a block of q, two blocks of scores and two numbers per row.
  int64_t workspace() const {
    int64_t most = 0;
    const int64_t width = round_to_lane(shape.head_dim);
    for (int64_t s = 0; s < sequences(); ++s) {
      const Sequence at = sequence(s);
      const int64_t rows = block_rows(shape, at.q_rows, at.k_rows);
      const int64_t keys = round_to_panel(at.k_rows);
      most = std::max(
          most, 5 * keys * width + 2 * rows * width + 2 * rows * keys + 2 * rows + 16 * kLane);
    }
    return most;
  }
};

struct Forward : Call {
  const Tensor& q;
  const Tensor& k;
  const Tensor& v;
  const Tensor& out;
  const Tensor* lse;

  void compute(int64_t s, int64_t head, float* memory) const {
    const Sequence at = sequence(s);
    const int64_t dim = shape.head_dim;
    const Head queries = query_head(q, at.q_begin, head);
    const Head outs = query_head(out, at.q_begin, head);
    float* const row_lse =
        lse == nullptr ? nullptr : lse->data<float>() + head * tokens() + at.q_begin;
    if (at.k_rows == 0) {
      for (int64_t r = 0; r < at.q_rows; ++r) std::fill_n(outs.row(r), dim, 0.0f);
      if (lse != nullptr) std::fill_n(row_lse, at.q_rows, -std::numeric_limits<float>::infinity());
      return;
    }
    const int64_t key_index = head / (shape.heads / shape.kv_heads);
    Workspace workspace(memory);
    const int64_t keys = round_to_lane(at.k_rows);
    const Head k_transposed =
        transposed(key_head(k, at.k_begin, key_index), at.k_rows, dim, workspace);
    const Head values = copied(key_head(v, at.k_begin, key_index), at.k_rows, dim, workspace);
    const int64_t rows = block_rows(shape, at.q_rows, at.k_rows);
    const Head query_copy{workspace.take(rows * round_to_lane(dim)), round_to_lane(dim)};
    const Head scores{workspace.take(rows * keys), keys};
    float* const inverse_sum = workspace.take(rows);
    for (int64_t begin = 0; begin < at.q_rows; begin += rows) {
      const int64_t count = std::min(rows, at.q_rows - begin);
      const int64_t seen = shape.causal ? begin + count : at.k_rows;
      pack(count, dim, queries.row(begin), queries.stride, query_copy.data);
      multiply(count, seen, dim, query_copy, false, k_transposed, scores, shape.scale, false);
      softmax_rows({count, seen, keys, begin, shape.causal}, scores.data, inverse_sum,
                   row_lse == nullptr ? nullptr : row_lse + begin);
      multiply(count, dim, seen, scores, false, values, {outs.row(begin), outs.stride}, 1.0f,
               false);
      for (int64_t r = 0; r < count; ++r)
        for (int64_t i = 0; i < dim; ++i) outs.row(begin + r)[i] *= inverse_sum[r];
    }
  }
};

struct Backward : Call {
  const Tensor& q;
  const Tensor& k;
  const Tensor& v;
  const Tensor& out;
  const Tensor& lse;
  const Tensor& dout;
  const Tensor& dq;
  const Tensor& dk;
  const Tensor& dv;

  /// Shared by the blocks of one key head.
  struct Keys {
    Head k, k_transposed, v_transposed, dk, dv;
    int64_t rows;
  };

  void compute(int64_t s, int64_t key_index, float* memory) const {
    const Sequence at = sequence(s);
    const int64_t dim = shape.head_dim;
    const Head k_head = key_head(k, at.k_begin, key_index);
    Workspace workspace(memory);
    const Keys keys{copied(k_head, at.k_rows, dim, workspace),
                    transposed(k_head, at.k_rows, dim, workspace),
                    transposed(key_head(v, at.k_begin, key_index), at.k_rows, dim, workspace),
                    zeros(at.k_rows, dim, workspace),
                    zeros(at.k_rows, dim, workspace),
                    at.k_rows};
    const int64_t group = shape.heads / shape.kv_heads;
    const int64_t rows = block_rows(shape, at.q_rows, at.k_rows);
    for (int64_t head = key_index * group; head < (key_index + 1) * group; ++head)
      for (int64_t begin = 0; begin < at.q_rows; begin += rows)
        compute_block(keys, head, at.q_begin, begin, std::min(rows, at.q_rows - begin), workspace);
    const Head dk_head = key_head(dk, at.k_begin, key_index);
    const Head dv_head = key_head(dv, at.k_begin, key_index);
    for (int64_t r = 0; r < at.k_rows; ++r) {
      std::copy_n(keys.dk.row(r), dim, dk_head.row(r));
      std::copy_n(keys.dv.row(r), dim, dv_head.row(r));
    }
  }

  /// The workspace is passed by value: each block reuses the same memory.
  void compute_block(const Keys& keys, int64_t head, int64_t sequence_begin, int64_t begin,
                     int64_t count, Workspace workspace) const {
    const int64_t dim = shape.head_dim;
    const int64_t first = sequence_begin + begin;
    const int64_t seen = shape.causal ? begin + count : keys.rows;
    const Head dqs = query_head(dq, first, head);
    if (seen == 0) {
      for (int64_t r = 0; r < count; ++r) std::fill_n(dqs.row(r), dim, 0.0f);
      return;
    }
    const Head queries = copied(query_head(q, first, head), count, dim, workspace);
    const Head douts = copied(query_head(dout, first, head), count, dim, workspace);
    const int64_t stride = round_to_lane(keys.rows);
    const Head scores{workspace.take(count * stride), stride};
    const Head gradient{workspace.take(count * stride), stride};
    float* const delta = workspace.take(count);
    for (int64_t r = 0; r < count; ++r) {
      const float* const out_row = query_head(out, first + r, head).data;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < dim; ++i) sum += out_row[i] * douts.row(r)[i];
      delta[r] = sum;
    }
    multiply(count, seen, dim, queries, false, keys.k_transposed, scores, shape.scale, false);
    multiply(count, seen, dim, douts, false, keys.v_transposed, gradient, 1.0f, false);
    softmax_backward_rows({count, seen, stride, begin, shape.causal},
                          lse.data<float>() + head * tokens() + first, delta, scores.data,
                          gradient.data);
    multiply(seen, dim, count, scores, true, douts, keys.dv, 1.0f, true);
    multiply(count, dim, seen, gradient, false, keys.k, dqs, shape.scale, false);
    multiply(seen, dim, count, gradient, true, queries, keys.dk, shape.scale, true);
  }
};

/// compute(sequence, head, workspace) for all sequences and heads, distributed over the threads.
template <typename Work>
void for_each_head(const Stream& stream, const Work& work, int64_t heads) {
  const int64_t items = work.sequences() * heads;
  const int64_t threads = std::min<int64_t>(omp_get_max_threads(), items);
  if (threads <= 0) return;
  const int64_t size = work.workspace();
  const Tensor memory = Tensor::empty(stream, {threads, size});
  float* const base = memory.data<float>();
#pragma omp parallel for schedule(dynamic, 1) \
    num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t item = 0; item < items; ++item)
    work.compute(item / heads, item % heads, base + omp_get_thread_num() * size);
}

void attention_forward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                       const Tensor& k, const Tensor& v, const CumulativeLengths& q_begin,
                       const CumulativeLengths& k_begin, const Tensor& out, const Tensor* lse) {
  for_each_head(stream, Forward{{shape, q_begin.host, k_begin.host}, q, k, v, out, lse},
                shape.heads);
}

void attention_backward(const Stream& stream, const AttentionShape& shape, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& out, const Tensor& lse,
                        const Tensor& dout, const CumulativeLengths& q_begin,
                        const CumulativeLengths& k_begin, const Tensor& dq, const Tensor& dk,
                        const Tensor& dv) {
  for_each_head(stream,
                Backward{{shape, q_begin.host, k_begin.host}, q, k, v, out, lse, dout, dq, dk, dv},
                shape.kv_heads);
}

}  // namespace

const AttentionKernels kAttention = {.attention_forward = attention_forward,
                                     .attention_backward = attention_backward};

}  // namespace lynceus::kernels::cpu
