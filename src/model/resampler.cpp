// The Perceiver resampler: latents are copied once for every media item, then go through the
// layers.
#include "model/resampler.h"

#include <fmt/format.h>

#include <cmath>

#include "core/trace.h"
#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "model/layer.h"

namespace lynceus::model {
namespace {

/// Where `count` sequences of `each` rows begin.
kernels::CumulativeLengths equal_lengths(const Runtime& rt, int64_t count, int64_t each) {
  std::vector<int32_t> begins(count + 1);
  for (int64_t i = 0; i <= count; ++i) begins[i] = static_cast<int32_t>(i * each);
  return {rt.stream, std::move(begins)};
}

}  // namespace

Tensor ResamplerLayer::forward(const Runtime& rt, const Items& items, const Tensor& x,
                               const Tensor& media, Saved* saved) const {
  const int64_t inner = shape.heads * shape.head_dim;
  const Tensor normed = norm_latents.forward(rt, x, part(saved, &Saved::norm_latents));
  const Tensor normed_media = norm_media.forward(rt, media, part(saved, &Saved::norm_media));
  const Tensor q = to_q.forward(rt, normed, part(saved, &Saved::to_q));
  const Tensor k = rt.activation({media.rows(), inner});
  const Tensor v = rt.activation({media.rows(), inner});
  if (packed_kv[0].defined()) {
    kernels::linear_forward(rt.stream, normed_media, packed_kv[0], nullptr, k);
    kernels::linear_forward(rt.stream, normed_media, packed_kv[1], nullptr, v);
  } else {
    const Tensor& kv_weight = to_kv.weight.used();
    kernels::linear_forward(rt.stream, normed_media, kv_weight.slice(0, inner), nullptr, k);
    kernels::linear_forward(rt.stream, normed_media, kv_weight.slice(inner, inner), nullptr, v);
  }
  to_kv.keep(normed_media, part(saved, &Saved::to_kv));

  const Tensor out = rt.activation(q.shape());
  Tensor lse;
  if (saved) lse = Tensor::empty(rt.stream, {shape.heads, q.rows()});
  kernels::attention_forward(rt.stream, shape, q, k, v, items.latents, items.media, out,
                             saved ? &lse : nullptr);
  const Tensor h = to_out.forward(rt, out, part(saved, &Saved::to_out));
  kernels::add(rt.stream, x, h, h);

  const Tensor ff_in = ff_norm.forward(rt, h, part(saved, &Saved::ff_norm));
  const Tensor hidden = ff1.forward(rt, ff_in, part(saved, &Saved::ff1));
  const Tensor activated = saved ? rt.activation(hidden.shape()) : hidden;
  kernels::gelu_forward(rt.stream, hidden, activated);
  Tensor y = ff2.forward(rt, activated, part(saved, &Saved::ff2));
  kernels::add(rt.stream, h, y, y);
  if (saved) {
    saved->q = q;
    saved->k = k;
    saved->v = v;
    saved->out = out;
    saved->lse = lse;
    saved->hidden = hidden;
  }
  return y;
}

void ResamplerLayer::backward(const Runtime& rt, const Items& items, const Saved& saved,
                              const Tensor& dy, Tensor* dx, const Tensor* dmedia) const {
  Tensor dhidden;
  ff2.backward(rt, saved.ff2, dy, &dhidden);
  kernels::gelu_backward(rt.stream, saved.hidden, dhidden, dhidden);
  Tensor dff_in;
  ff1.backward(rt, saved.ff1, dhidden, &dff_in);
  Tensor dh;
  ff_norm.backward(rt, saved.ff_norm, dff_in, &dh, /*dresidual=*/&dy);

  Tensor dout;
  to_out.backward(rt, saved.to_out, dh, &dout);
  const Tensor dq = rt.activation(saved.q.shape());
  const Tensor dk = rt.activation(saved.k.shape());
  const Tensor dv = rt.activation(saved.v.shape());
  kernels::attention_backward(rt.stream, shape, saved.q, saved.k, saved.v, saved.out, saved.lse,
                              dout, items.latents, items.media, dq, dk, dv);

  const int64_t inner = shape.heads * shape.head_dim;
  const Parameter& kv_weight = to_kv.weight;
  if (kv_weight.trainable()) {
    kernels::linear_backward_weight(rt.stream, dk, saved.to_kv.x, kv_weight.grad.slice(0, inner),
                                    nullptr);
    kernels::linear_backward_weight(rt.stream, dv, saved.to_kv.x,
                                    kv_weight.grad.slice(inner, inner), nullptr);
  }
  if (kv_weight.trainable() || dmedia != nullptr) {  // norm_media is trained where to_kv is
    const Tensor dnormed_media = rt.activation(saved.norm_media.x.shape());
    kernels::linear_backward_input(rt.stream, dk, kv_weight.used().slice(0, inner), dnormed_media);
    kernels::linear_backward_input(rt.stream, dv, kv_weight.used().slice(inner, inner),
                                   dnormed_media, /*accumulate=*/true);
    if (dmedia != nullptr)
      norm_media.backward_add(rt, saved.norm_media, dnormed_media, *dmedia);
    else
      norm_media.backward(rt, saved.norm_media, dnormed_media, nullptr);
  }

  Tensor dnormed;
  to_q.backward(rt, saved.to_q, dq, &dnormed);
  norm_latents.backward(rt, saved.norm_latents, dnormed, dx, /*dresidual=*/&dh);
}

void ResamplerLayer::visit_parameters(const ParameterVisitor& visit) {
  norm_media.visit_parameters(visit);
  norm_latents.visit_parameters(visit);
  for (Linear* linear : {&to_q, &to_kv, &to_out}) linear->visit_parameters(visit);
  ff_norm.visit_parameters(visit);
  for (Linear* linear : {&ff1, &ff2}) linear->visit_parameters(visit);
}

void ResamplerLayer::visit_linears(const LinearVisitor& visit) {
  for (Linear* linear : {&to_q, &to_out, &ff1, &ff2}) visit(*linear);
  const int64_t inner = shape.heads * shape.head_dim;
  for (const int64_t half : {0, 1}) {
    Linear linear = to_kv;
    linear.weight.value = to_kv.weight.used().slice(half * inner, inner);
    linear.weight.rounded = Tensor();
    visit(linear);
    packed_kv[static_cast<size_t>(half)] = linear.packed;
  }
  if (packed_kv[0].defined()) to_kv.weight.value = Tensor();
}

ResamplerLayer make_resampler_layer(const ParameterMaker& make, const ModelConfig& config) {
  const BridgeConfig& bridge = config.bridge;
  const int64_t width = config.llm.hidden_size, vision = config.vision.hidden_size;
  const int64_t inner = bridge.num_heads * bridge.head_dim;
  const int64_t ff = bridge.intermediate_factor * width;
  const ParameterMaker attention = make.in("0"), feed_forward = make.in("1");
  ResamplerLayer layer;
  layer.norm_media = make_layer_norm(attention.in("norm_media"), vision, bridge.layer_norm_eps);
  layer.norm_latents = make_layer_norm(attention.in("norm_latents"), width, bridge.layer_norm_eps);
  layer.to_q.weight = attention.replicated_matrix("to_q.weight", {inner, width});
  layer.to_kv.weight = attention.replicated_matrix("to_kv.weight", {2 * inner, vision});
  layer.to_out.weight = attention.replicated_matrix("to_out.weight", {width, inner});
  layer.ff_norm = make_layer_norm(feed_forward.in("0"), width, bridge.layer_norm_eps);
  layer.ff1.weight = feed_forward.replicated_matrix("1.weight", {ff, width});
  layer.ff2.weight = feed_forward.replicated_matrix("3.weight", {width, ff});
  layer.shape = {bridge.num_heads, bridge.num_heads, bridge.head_dim,
                 static_cast<float>(1.0 / std::sqrt(static_cast<double>(bridge.head_dim))),
                 /*causal=*/false};
  return layer;
}

Tensor Resampler::forward(const Runtime& rt, const kernels::CumulativeLengths& media_begin,
                          const Tensor& media, Saved* saved) const {
  LYNCEUS_TRACE("resampler forward");
  const int64_t count = media_begin.sequences();
  const int64_t rows = latents.value.dim(0), width = latents.value.dim(1);
  const ResamplerLayer::Items items{equal_lengths(rt, count, rows), media_begin};
  Tensor x = rt.activation({count * rows, width});
  for (int64_t i = 0; i < count; ++i) x.slice(i * rows, rows).copy_from(latents.used());
  if (saved) {
    saved->items = items;
    saved->layers.resize(layers.size());
  }
  for (size_t i = 0; i < layers.size(); ++i)
    x = layers[i].forward(rt, items, x, media, saved ? &saved->layers[i] : nullptr);
  return norm.forward(rt, x, part(saved, &Saved::norm));
}

void Resampler::backward(const Runtime& rt, const Saved& saved, const Tensor& dy,
                         Tensor* dmedia) const {
  LYNCEUS_TRACE("resampler backward");
  Tensor d;
  norm.backward(rt, saved.norm, dy, &d);
  if (dmedia != nullptr) {  // every layer reads the media: their gradients add up
    *dmedia = rt.activation({saved.items.media.tokens(), layers.front().to_kv.in_features()});
    dmedia->fill_zero();
  }
  for (size_t i = layers.size(); i-- > 0;)
    layers[i].backward(rt, saved.items, saved.layers[i], d, &d, dmedia);
  if (!latents.trainable()) return;
  // Every item began with the same latents.
  const int64_t count = saved.items.media.sequences(), elements = latents.value.size();
  kernels::column_sum(rt.stream, d.reshape({count, elements}), latents.grad.reshape({elements}));
}

void Resampler::visit_parameters(const ParameterVisitor& visit) {
  visit(latents);
  for (ResamplerLayer& layer : layers) layer.visit_parameters(visit);
  norm.visit_parameters(visit);
}

void Resampler::visit_linears(const LinearVisitor& visit) {
  for (ResamplerLayer& layer : layers) layer.visit_linears(visit);
}

Resampler make_resampler(const ParameterMaker& make, const ModelConfig& config) {
  const int64_t width = config.llm.hidden_size;
  Resampler resampler;
  resampler.latents = make.replicated_matrix("latents", {config.bridge.num_latents, width});
  for (int64_t i = 0; i < config.bridge.num_layers; ++i)
    resampler.layers.push_back(make_resampler_layer(make.in(fmt::format("layers.{}", i)), config));
  resampler.norm = make_layer_norm(make.in("norm"), width, config.bridge.layer_norm_eps);
  return resampler;
}

}  // namespace lynceus::model
