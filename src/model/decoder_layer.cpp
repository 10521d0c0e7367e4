// A decoder layer; attention, MLP and adapter each end with their sum over tensor ranks.
#include "model/decoder_layer.h"

#include <fmt/format.h>

#include "core/trace.h"
#include "kernels/elementwise.h"
#include "model/layer.h"

namespace lynceus::model {

Tensor DecoderLayer::forward(const Runtime& rt, const PackedBatch& batch, const Tensor& x,
                             Saved* saved, const LayerCache* cache) const {
  LYNCEUS_TRACE("decoder layer forward");
  Tensor normed = input_norm.forward(rt, x, part(saved, &Saved::input_norm));
  const Tensor h = attention.forward(rt, batch, normed, part(saved, &Saved::attention), cache);
  kernels::add(rt.stream, x, h, h);

  normed = post_attention_norm.forward(rt, h, part(saved, &Saved::post_attention_norm));
  const Tensor y = mlp.forward(rt, normed, part(saved, &Saved::mlp));
  kernels::add(rt.stream, h, y, y);

  return adapter ? adapter->forward(rt, y, part(saved, &Saved::adapter)) : y;
}

void DecoderLayer::backward(const Runtime& rt, const PackedBatch& batch, const Saved& saved,
                            const Tensor& dy, Tensor* dx) const {
  LYNCEUS_TRACE("decoder layer backward");
  const bool through_llm = dx != nullptr || input_norm.weight.trainable();
  Tensor dh = dy;
  if (adapter) adapter->backward(rt, saved.adapter, dy, through_llm ? &dh : nullptr);
  if (!through_llm) return;

  Tensor dnormed;
  mlp.backward(rt, saved.mlp, dh, &dnormed);
  post_attention_norm.backward(rt, saved.post_attention_norm, dnormed, &dh, /*dresidual=*/&dh);

  attention.backward(rt, batch, saved.attention, dh, &dnormed);
  input_norm.backward(rt, saved.input_norm, dnormed, dx, /*dresidual=*/&dh);
}

void DecoderLayer::visit_parameters(const ParameterVisitor& visit) {
  input_norm.visit_parameters(visit);
  attention.visit_parameters(visit);
  post_attention_norm.visit_parameters(visit);
  mlp.visit_parameters(visit);
  if (adapter) adapter->visit_parameters(visit);
}

void DecoderLayer::visit_linears(const LinearVisitor& visit) {
  attention.visit_linears(visit);
  mlp.visit_linears(visit);
  if (adapter) adapter->visit_linears(visit);
}

DecoderLayer make_decoder_layer(const Runtime& rt, const ModelConfig& config, int64_t layer) {
  const LlmConfig& llm = config.llm;
  const ParameterMaker make(rt, fmt::format("LLM.model.layers.{}.", layer), Module::kLlm,
                            llm.trains("llm"));
  DecoderLayer decoder;
  decoder.input_norm = make_rms_norm(make.in("input_layernorm"), llm.hidden_size, llm.rms_norm_eps);
  decoder.attention = make_self_attention(make.in("self_attn"), llm);
  decoder.post_attention_norm =
      make_rms_norm(make.in("post_attention_layernorm"), llm.hidden_size, llm.rms_norm_eps);
  decoder.mlp = make_mlp(make.in("mlp"), llm);
  if (config.adapter.at_layer(layer))
    decoder.adapter =
        make_adapter(make.in("output_adapter").of(Module::kAdapter, llm.trains("adapter")), config);
  return decoder;
}

}  // namespace lynceus::model
