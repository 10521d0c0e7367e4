// The Perceiver resampler: backward is forward from bottom to top, layer by layer. Used by the
// bridge.
#include "model/resampler.h"

#include <cmath>

#include "core/trace.h"
#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/gemm.h"

namespace lynceus::model {
namespace {

/// Sequences of `each` rows.
kernels::CumulativeLengths equal_lengths(const Runtime& rt, int64_t count, int64_t each) {
  std::vector<int32_t> begins(count + 1);
  for (int64_t i = 0; i <= count; ++i) begins[i] = static_cast<int32_t>(i * each);
  return {rt.stream, std::move(begins)};
}

}  // namespace

kernels::AttentionShape Resampler::attention_shape() const {
  return {num_heads, num_heads, head_dim,
          static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))), /*causal=*/false};
}

Tensor Resampler::forward_layer(const Runtime& rt, const ResamplerLayer& layer, const Tensor& media,
                                const kernels::CumulativeLengths& media_begin,
                                const kernels::CumulativeLengths& latent_begin, const Tensor& x,
                                ResamplerLayer::Saved* saved) const {
  const int64_t inner = num_heads * head_dim;
  const Tensor normed = layer.norm_latents.forward(rt, x, saved ? &saved->norm_latents : nullptr);
  const Tensor normed_media =
      layer.norm_media.forward(rt, media, saved ? &saved->norm_media : nullptr);
  const Tensor q = layer.to_q.forward(rt, normed, saved ? &saved->to_q : nullptr);
  const Tensor k = rt.activation({media.rows(), inner});
  const Tensor v = rt.activation({media.rows(), inner});
  const Tensor& to_kv = layer.to_kv.weight.used();
  kernels::linear_forward(rt.stream, normed_media, to_kv.slice(0, inner), nullptr, k);
  kernels::linear_forward(rt.stream, normed_media, to_kv.slice(inner, inner), nullptr, v);

  const Tensor out = rt.activation(q.shape());
  Tensor lse;
  if (saved) lse = Tensor::empty(rt.stream, {num_heads, q.rows()});
  kernels::attention_forward(rt.stream, attention_shape(), q, k, v, latent_begin, media_begin, out,
                             saved ? &lse : nullptr);
  const Tensor h = layer.to_out.forward(rt, out, saved ? &saved->to_out : nullptr);
  kernels::add(rt.stream, x, h, h);

  const Tensor ff_in = layer.ff_norm.forward(rt, h, saved ? &saved->ff_norm : nullptr);
  const Tensor hidden = layer.ff1.forward(rt, ff_in, saved ? &saved->ff1 : nullptr);
  const Tensor activated = saved ? rt.activation(hidden.shape()) : hidden;
  kernels::gelu_forward(rt.stream, hidden, activated);
  Tensor y = layer.ff2.forward(rt, activated, saved ? &saved->ff2 : nullptr);
  kernels::add(rt.stream, h, y, y);
  if (saved) {
    if (layer.to_kv.weight.trainable()) saved->to_kv.x = normed_media;
    saved->q = q;
    saved->k = k;
    saved->v = v;
    saved->out = out;
    saved->lse = lse;
    saved->hidden = hidden;
  }
  return y;
}

Tensor Resampler::backward_layer(const Runtime& rt, const ResamplerLayer& layer,
                                 const kernels::CumulativeLengths& media_begin,
                                 const kernels::CumulativeLengths& latent_begin,
                                 const ResamplerLayer::Saved& saved, const Tensor& dy,
                                 const Tensor* dmedia) const {
  const Tensor dhidden = rt.activation(saved.hidden.shape());
  layer.ff2.backward(rt, saved.ff2, dy, &dhidden);
  kernels::gelu_backward(rt.stream, saved.hidden, dhidden, dhidden);
  const Tensor dff_in = rt.activation(dy.shape());
  layer.ff1.backward(rt, saved.ff1, dhidden, &dff_in);
  const Tensor dh = rt.activation(dy.shape());
  layer.ff_norm.backward(rt, saved.ff_norm, dff_in, /*dresidual=*/&dy, &dh);

  const Tensor dout = rt.activation(saved.out.shape());
  layer.to_out.backward(rt, saved.to_out, dh, &dout);
  const Tensor dq = rt.activation(saved.q.shape());
  const Tensor dk = rt.activation(saved.k.shape());
  const Tensor dv = rt.activation(saved.v.shape());
  kernels::attention_backward(rt.stream, attention_shape(), saved.q, saved.k, saved.v, saved.out,
                              saved.lse, dout, latent_begin, media_begin, dq, dk, dv);

  // Into the media: through norm_media, whose parameters train; further down only for whoever asks.
  const int64_t inner = num_heads * head_dim;
  const Parameter& to_kv = layer.to_kv.weight;
  if (to_kv.trainable()) {
    kernels::linear_backward_weight(rt.stream, dk, saved.to_kv.x, to_kv.grad.slice(0, inner),
                                    nullptr);
    kernels::linear_backward_weight(rt.stream, dv, saved.to_kv.x, to_kv.grad.slice(inner, inner),
                                    nullptr);
  }
  if (to_kv.trainable() || dmedia != nullptr) {
    const Tensor dnormed_media = rt.activation(saved.norm_media.x.shape());
    kernels::linear_backward_input(rt.stream, dk, to_kv.used().slice(0, inner), dnormed_media);
    kernels::linear_backward_input(rt.stream, dv, to_kv.used().slice(inner, inner), dnormed_media,
                                   /*accumulate=*/true);
    layer.norm_media.backward(rt, saved.norm_media, dnormed_media, /*dresidual=*/dmedia, dmedia);
  }

  const Tensor dnormed = rt.activation(dy.shape());
  layer.to_q.backward(rt, saved.to_q, dq, &dnormed);
  Tensor dx = rt.activation(dy.shape());
  layer.norm_latents.backward(rt, saved.norm_latents, dnormed, /*dresidual=*/&dh, &dx);
  return dx;
}

Tensor Resampler::forward(const Runtime& rt, const Tensor& media,
                          const kernels::CumulativeLengths& media_begin, Saved* saved) const {
  LYNCEUS_TRACE("resampler forward");
  const int64_t items = media_begin.sequences(), count = latents.value.dim(0);
  const int64_t width = latents.value.dim(1);
  const kernels::CumulativeLengths latent_begin = equal_lengths(rt, items, count);
  Tensor x = rt.activation({items * count, width});
  for (int64_t i = 0; i < items; ++i) x.slice(i * count, count).copy_from(latents.used());
  if (saved) {
    saved->layers.resize(layers.size());
    saved->latent_begin = latent_begin;
  }
  for (size_t i = 0; i < layers.size(); ++i)
    x = forward_layer(rt, layers[i], media, media_begin, latent_begin, x,
                      saved ? &saved->layers[i] : nullptr);
  return norm.forward(rt, x, saved ? &saved->norm : nullptr);
}

void Resampler::backward(const Runtime& rt, const kernels::CumulativeLengths& media_begin,
                         const Saved& saved, const Tensor& dy, const Tensor* dmedia) const {
  LYNCEUS_TRACE("resampler backward");
  Tensor dx = rt.activation(dy.shape());
  norm.backward(rt, saved.norm, dy, nullptr, &dx);
  if (dmedia != nullptr) dmedia->fill_zero();  // every layer reads the media: gradients add up
  for (size_t i = layers.size(); i-- > 0;)
    dx =
        backward_layer(rt, layers[i], media_begin, saved.latent_begin, saved.layers[i], dx, dmedia);
  if (!latents.trainable()) return;
  // The same latents stood in front of every item.
  const int64_t items = media_begin.sequences();
  const int64_t elements = latents.value.size();
  kernels::column_sum(rt.stream, dx.reshape({items, elements}), latents.grad.reshape({elements}));
}

void Resampler::visit_parameters(const ParameterVisitor& visit) {
  visit(latents);
  for (ResamplerLayer& layer : layers) {
    layer.norm_media.visit_parameters(visit);
    layer.norm_latents.visit_parameters(visit);
    for (Linear* linear : {&layer.to_q, &layer.to_kv, &layer.to_out})
      linear->visit_parameters(visit);
    layer.ff_norm.visit_parameters(visit);
    layer.ff1.visit_parameters(visit);
    layer.ff2.visit_parameters(visit);
  }
  norm.visit_parameters(visit);
}

Resampler make_resampler(const ParameterMaker& make, const ModelConfig& config) {
  const BridgeConfig& bridge = config.bridge;
  const int64_t width = config.llm.hidden_size, vision = config.vision.hidden_size;
  const int64_t inner = bridge.num_heads * bridge.head_dim;
  const int64_t ff = bridge.intermediate_factor * width;
  Resampler resampler;
  resampler.num_heads = bridge.num_heads;
  resampler.head_dim = bridge.head_dim;
  resampler.latents = make.replicated_matrix("latents", {bridge.num_latents, width});
  for (int64_t i = 0; i < bridge.num_layers; ++i) {
    const ParameterMaker attention = make.in(fmt::format("layers.{}.0", i));
    const ParameterMaker feed_forward = make.in(fmt::format("layers.{}.1", i));
    ResamplerLayer layer;
    layer.norm_media = make_layer_norm(attention.in("norm_media"), vision, bridge.layer_norm_eps);
    layer.norm_latents =
        make_layer_norm(attention.in("norm_latents"), width, bridge.layer_norm_eps);
    layer.to_q.weight = attention.replicated_matrix("to_q.weight", {inner, width});
    layer.to_kv.weight = attention.replicated_matrix("to_kv.weight", {2 * inner, vision});
    layer.to_out.weight = attention.replicated_matrix("to_out.weight", {width, inner});
    layer.ff_norm = make_layer_norm(feed_forward.in("0"), width, bridge.layer_norm_eps);
    layer.ff1.weight = feed_forward.replicated_matrix("1.weight", {ff, width});
    layer.ff2.weight = feed_forward.replicated_matrix("3.weight", {width, ff});
    resampler.layers.push_back(std::move(layer));
  }
  resampler.norm = make_layer_norm(make.in("norm"), width, bridge.layer_norm_eps);
  return resampler;
}

}  // namespace lynceus::model
