// Projections, rotary positions, attention within sequences, and one sum over tensor ranks in each
// direction.
#include "model/attention.h"

#include <cmath>

#include "kernels/cast.h"
#include "kernels/embedding.h"
#include "kernels/rope.h"
#include "model/layer.h"
#include "model/tensor_sum.h"

namespace lynceus::model {

namespace {

/// Row i of `rows` becomes row written[i] of `cache`, in its type.
void store(const Runtime& rt, const Tensor& rows, const Tensor& written, const Tensor& cache) {
  Tensor stored = rows;
  if (rows.dtype() != cache.dtype()) {
    stored = Tensor::empty(rt.stream, rows.shape(), cache.dtype());
    kernels::cast(rt.stream, rows, stored);
  }
  kernels::scatter_rows(rt.stream, stored, written, cache);
}

/// Attention of a batch whose keys and values are kept in `cache`.
void attend_cached(const Runtime& rt, const kernels::AttentionShape& shape, const CacheRows& rows,
                   const LayerCache& cache, const Tensor& q, const Tensor& k, const Tensor& v,
                   const Tensor& out) {
  store(rt, k, rows.written, cache.k);
  store(rt, v, rows.written, cache.v);
  const int64_t begun = rows.begun.tokens(), continued = rows.continued.tokens();
  if (begun > 0)
    kernels::attention_forward(rt.stream, shape, q.slice(0, begun), k.slice(0, begun),
                               v.slice(0, begun), rows.begun, rows.begun, out.slice(0, begun),
                               /*lse=*/nullptr);
  if (continued > 0)
    kernels::cached_attention_forward(rt.stream, shape, q.slice(begun, continued), cache.k, cache.v,
                                      rows.continued, rows.keys, out.slice(begun, continued));
}

}  // namespace

Tensor SelfAttention::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& x,
                              Saved* saved, const LayerCache* cache) const {
  const Tensor q = q_proj.forward(rt, x, part(saved, &Saved::q_proj));
  const Tensor k = k_proj.forward(rt, x, part(saved, &Saved::k_proj));
  const Tensor v = v_proj.forward(rt, x, part(saved, &Saved::v_proj));
  kernels::rope_forward(rt.stream, batch.cos, batch.sin, q);
  kernels::rope_forward(rt.stream, batch.cos, batch.sin, k);

  const Tensor out = rt.activation(q.shape());
  Tensor lse;
  if (saved) lse = Tensor::empty(rt.stream, {shape.heads, q.rows()});
  if (cache)
    attend_cached(rt, shape, batch.cache, *cache, q, k, v, out);
  else
    kernels::attention_forward(rt.stream, shape, q, k, v, batch.sequences, batch.sequences, out,
                               saved ? &lse : nullptr);
  if (saved) {
    saved->q = q;
    saved->k = k;
    saved->v = v;
    saved->out = out;
    saved->lse = lse;
  }
  o_proj.keep(out, part(saved, &Saved::o_proj));
  Tensor y = rt.activation({x.rows(), o_proj.out_features()});
  sum_over_tensor_ranks(rt, y,
                        [&](RowRange rows) { o_proj.forward(rt, rows.of(out), rows.of(y)); });
  return y;
}

void SelfAttention::backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved,
                             const Tensor& dy, Tensor* dx) const {
  Tensor dout;
  o_proj.backward(rt, saved.o_proj, dy, &dout);

  const Tensor dq = rt.activation(saved.q.shape());
  const Tensor dk = rt.activation(saved.k.shape());
  const Tensor dv = rt.activation(saved.v.shape());
  kernels::attention_backward(rt.stream, shape, saved.q, saved.k, saved.v, saved.out, saved.lse,
                              dout, batch.sequences, batch.sequences, dq, dk, dv);
  kernels::rope_backward(rt.stream, batch.cos, batch.sin, dq);
  kernels::rope_backward(rt.stream, batch.cos, batch.sin, dk);

  q_proj.backward_weight(rt, saved.q_proj, dq);
  k_proj.backward_weight(rt, saved.k_proj, dk);
  v_proj.backward_weight(rt, saved.v_proj, dv);
  if (dx == nullptr) return;
  const Tensor sum = rt.activation({dy.rows(), q_proj.in_features()});
  sum_over_tensor_ranks(rt, sum, [&](RowRange rows) {
    q_proj.backward_input(rt, rows.of(dq), rows.of(sum));
    k_proj.backward_input(rt, rows.of(dk), rows.of(sum), /*accumulate=*/true);
    v_proj.backward_input(rt, rows.of(dv), rows.of(sum), /*accumulate=*/true);
  });
  *dx = sum;
}

void SelfAttention::visit_parameters(const ParameterVisitor& visit) {
  q_proj.visit_parameters(visit);
  k_proj.visit_parameters(visit);
  v_proj.visit_parameters(visit);
  o_proj.visit_parameters(visit);
}

void SelfAttention::visit_linears(const LinearVisitor& visit) {
  for (Linear* linear : {&q_proj, &k_proj, &v_proj, &o_proj}) visit(*linear);
}

SelfAttention make_self_attention(const ParameterMaker& make, const LlmConfig& config) {
  const int64_t ranks = make.runtime().grid.tensor->size();
  const int64_t hidden = config.hidden_size, head_dim = config.head_dim();
  const int64_t q_width = config.num_heads * head_dim, kv_width = config.kv_heads() * head_dim;
  SelfAttention attention;
  attention.q_proj.weight = make.split("q_proj.weight", {q_width, hidden}, 0);
  attention.k_proj.weight = make.split("k_proj.weight", {kv_width, hidden}, 0);
  attention.v_proj.weight = make.split("v_proj.weight", {kv_width, hidden}, 0);
  attention.o_proj.weight = make.split("o_proj.weight", {hidden, q_width}, 1);
  attention.shape = {config.num_heads / ranks, config.kv_heads() / ranks, head_dim,
                     static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))),
                     /*causal=*/true};
  return attention;
}

}  // namespace lynceus::model
