// Weight files of the micro model's size, as published ones are: a LLaMA in a Hugging Face
// directory and a vision encoder with EVA's names.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/weights/safetensors.h"
#include "io/weights/safetensors_writer.h"
#include "run_program.h"

namespace lynceus::cli_test {

/// Names and shapes of one file.
using Shapes = std::map<std::string, Shape>;

constexpr int64_t kPieces = 320;

/// The names and shapes of a LLaMA of the micro model's size in a Hugging Face directory.
inline Shapes llama_shapes(int64_t vocabulary = kPieces) {
  Shapes shapes = {{"model.embed_tokens.weight", {vocabulary, 32}},
                   {"model.norm.weight", {32}},
                   {"lm_head.weight", {vocabulary, 32}}};
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    shapes[layer + "input_layernorm.weight"] = {32};
    shapes[layer + "post_attention_layernorm.weight"] = {32};
    shapes[layer + "self_attn.q_proj.weight"] = {32, 32};
    shapes[layer + "self_attn.k_proj.weight"] = {16, 32};
    shapes[layer + "self_attn.v_proj.weight"] = {16, 32};
    shapes[layer + "self_attn.o_proj.weight"] = {32, 32};
    shapes[layer + "self_attn.rotary_emb.inv_freq"] = {4};
    shapes[layer + "mlp.gate_proj.weight"] = {64, 32};
    shapes[layer + "mlp.up_proj.weight"] = {64, 32};
    shapes[layer + "mlp.down_proj.weight"] = {32, 64};
  }
  return shapes;
}

/// EVA's names of the micro model's vision encoder, for images of 2 x 2 patches.
inline Shapes eva_shapes() {
  Shapes shapes = {{"cls_token", {1, 1, 32}},
                   {"pos_embed", {1, 5, 32}},
                   {"patch_embed.proj.weight", {32, 3, 14, 14}},
                   {"patch_embed.proj.bias", {32}}};
  const std::string block = "blocks.0.";
  for (const char* norm : {"norm1", "norm2"})
    for (const char* part : {".weight", ".bias"}) shapes[block + norm + part] = {32};
  shapes[block + "attn.qkv.weight"] = {96, 32};
  shapes[block + "attn.q_bias"] = {32};
  shapes[block + "attn.v_bias"] = {32};
  shapes[block + "attn.proj.weight"] = {32, 32};
  shapes[block + "attn.proj.bias"] = {32};
  shapes[block + "mlp.fc1.weight"] = {64, 32};
  shapes[block + "mlp.fc1.bias"] = {64};
  shapes[block + "mlp.fc2.weight"] = {32, 64};
  shapes[block + "mlp.fc2.bias"] = {32};
  return shapes;
}

/// Small values that differ from element to element; norms are near one.
inline std::vector<float> values_of(const std::string& name, int64_t count, float scale) {
  std::vector<float> values(static_cast<size_t>(count));
  const float center = name.find("norm") != std::string::npos ? 1.0F : 0.0F;
  uint32_t state = 17 + static_cast<uint32_t>(name.size()) * 2654435761U;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    value = center + scale * (static_cast<float>(state >> 8) / 8388608.0F - 1.0F);
  }
  return values;
}

/// The name that a tensor gets in the file.
using Rename = std::function<std::string(const std::string&)>;

/// The values follow from the name in `shapes`.
inline void write_weights(const fs::path& file, const Shapes& shapes, float scale = 0.2F,
                          const Rename& rename = {}) {
  const Stream stream;
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, shape] : shapes)
    tensors.push_back({rename ? rename(name) : name,
                       Tensor::from(stream, shape, values_of(name, shape.elements(), scale))});
  io::write_safetensors(file, tensors);
}

inline std::string llama_config(const std::string& more = "", int64_t vocabulary = kPieces) {
  return fmt::format(
      R"({{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32,
"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
"num_key_value_heads": 2, "vocab_size": {}, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
"hidden_act": "silu", "tie_word_embeddings": false, "max_position_embeddings": 2048{}}})",
      vocabulary, more);
}

}  // namespace lynceus::cli_test
