// The ViT, forward only, over images packed like sequences.
#include "model/vision_encoder.h"

#include <fmt/format.h>

#include <cmath>

#include "core/trace.h"
#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/patchify.h"

namespace lynceus::model {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kPatchGranule = 16;  // rows of 32 bytes on devices: 592 values for 588

}  // namespace

void VisionBlock::forward(const Runtime& rt, const VisionConfig& config,
                          const kernels::CumulativeLengths& images, const Tensor& x,
                          const Tensor& z) const {
  Tensor normed = norm1.forward(rt, x, nullptr);
  const Tensor q = q_proj.forward(rt, normed, nullptr);
  const Tensor k = k_proj.forward(rt, normed, nullptr);
  const Tensor v = v_proj.forward(rt, normed, nullptr);
  const kernels::AttentionShape shape{
      config.num_heads, config.num_heads, config.head_dim(),
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim()))),
      /*causal=*/false};
  const Tensor out = normed;  // its values are not needed any more
  kernels::attention_forward(rt.stream, shape, q, k, v, images, images, out, nullptr);
  Tensor y = proj.forward(rt, out, nullptr);
  kernels::add(rt.stream, x, y, y);

  normed = norm2.forward(rt, y, nullptr);
  const Tensor hidden = fc1.forward(rt, normed, nullptr, kernels::Activation::kGelu);
  fc2.forward(rt, hidden, z);
  kernels::add(rt.stream, y, z, z);
}

void VisionEncoder::forward(const Runtime& rt, const Tensor& pixels, const Tensor& features) const {
  LYNCEUS_TRACE("vision encoder");
  LYNCEUS_CHECK(pixels.rank() == 4 && pixels.dim(1) == kChannels &&
                    pixels.dim(2) == config.image_size && pixels.dim(3) == config.image_size,
                "pixels of shape {} for vision.image_size {}", pixels.shape().to_string(),
                config.image_size);
  const int64_t images = pixels.dim(0), tokens = config.tokens_per_image();
  Tensor patches = rt.activation({images * (tokens - 1), patch_embedding.in_features()});
  kernels::patchify(rt.stream, pixels, config.patch_size, patches);
  patches = patch_embedding.forward(rt, patches, nullptr);
  Tensor x = rt.activation({images * tokens, config.hidden_size});
  kernels::assemble_vision_tokens(rt.stream, patches, cls_token.value.reshape({config.hidden_size}),
                                  position.value.reshape({tokens, config.hidden_size}), x);

  std::vector<int32_t> begins(images + 1);
  for (int64_t i = 0; i <= images; ++i) begins[i] = static_cast<int32_t>(i * tokens);
  const kernels::CumulativeLengths sequences(rt.stream, std::move(begins));
  for (const VisionBlock& block : blocks) {
    const Tensor z = &block == &blocks.back() ? features : rt.activation(x.shape());
    block.forward(rt, config, sequences, x, z);
    x = z;
  }
}

void VisionEncoder::visit_parameters(const ParameterVisitor& visit) {
  visit(cls_token);
  visit(position);
  patch_embedding.visit_parameters(visit);
  for (VisionBlock& block : blocks) {
    block.norm1.visit_parameters(visit);
    for (Linear* linear : {&block.q_proj, &block.k_proj, &block.v_proj, &block.proj})
      linear->visit_parameters(visit);
    block.norm2.visit_parameters(visit);
    block.fc1.visit_parameters(visit);
    block.fc2.visit_parameters(visit);
  }
}

void VisionEncoder::visit_linears(const LinearVisitor& visit) {
  visit(patch_embedding);
  for (VisionBlock& block : blocks)
    for (Linear* linear :
         {&block.q_proj, &block.k_proj, &block.v_proj, &block.proj, &block.fc1, &block.fc2})
      visit(*linear);
}

void VisionEncoder::pack(const Runtime& rt) {
  visit_linears([&](Linear& linear) { linear.pack(rt); });
}

VisionEncoder make_vision_encoder(const Runtime& rt, const VisionConfig& config) {
  const int64_t hidden = config.hidden_size, intermediate = config.intermediate_size;
  const ParameterMaker make(rt, "vision_encoder.", Module::kVision, /*trainable=*/false);
  VisionEncoder encoder;
  encoder.config = config;
  encoder.cls_token = make.replicated("cls_token", {1, 1, hidden});
  encoder.position = make.replicated("pos_embed", {1, config.tokens_per_image(), hidden});
  encoder.patch_embedding.weight = make.replicated_matrix(
      "patch_embed.proj.weight", {hidden, kChannels, config.patch_size, config.patch_size});
  encoder.patch_embedding.bias = make.replicated("patch_embed.proj.bias", {hidden});
  encoder.patch_embedding.device_granule = kPatchGranule;
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const ParameterMaker block = make.in(fmt::format("blocks.{}", i));
    VisionBlock b;
    b.norm1 = make_layer_norm(block.in("norm1"), hidden, config.layer_norm_eps);
    b.q_proj = {block.replicated_matrix("attn.q_proj.weight", {hidden, hidden}),
                block.replicated("attn.q_proj.bias", {hidden}),
                {}};
    b.k_proj = {block.replicated_matrix("attn.k_proj.weight", {hidden, hidden}), std::nullopt, {}};
    b.v_proj = {block.replicated_matrix("attn.v_proj.weight", {hidden, hidden}),
                block.replicated("attn.v_proj.bias", {hidden}),
                {}};
    b.proj = {block.replicated_matrix("attn.proj.weight", {hidden, hidden}),
              block.replicated("attn.proj.bias", {hidden}),
              {}};
    b.norm2 = make_layer_norm(block.in("norm2"), hidden, config.layer_norm_eps);
    b.fc1 = {block.replicated_matrix("mlp.fc1.weight", {intermediate, hidden}),
             block.replicated("mlp.fc1.bias", {intermediate}),
             {}};
    b.fc2 = {block.replicated_matrix("mlp.fc2.weight", {hidden, intermediate}),
             block.replicated("mlp.fc2.bias", {hidden}),
             {}};
    encoder.blocks.push_back(std::move(b));
  }
  return encoder;
}

}  // namespace lynceus::model
