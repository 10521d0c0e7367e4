// Reads the config.json of a Hugging Face LLaMA directory: the values that define the architecture.
// A key that requires an unsupported computation is an error; it is not ignored.
//
// Errors: InputError naming file, key, expected and found; one error lists all unsupported keys.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "io/files/json.h"
#include "io/weights/rope_scaling.h"

namespace lynceus::io {

struct LlamaConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;  ///< if absent: num_attention_heads
  int64_t vocab_size = 0;
  double rms_norm_eps = 0;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  int64_t max_position_embeddings = 2048;
  bool tie_word_embeddings = false;  ///< lm_head.weight is embed_tokens.weight
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> eos_token_id;  ///< the first of a list
  std::optional<int64_t> pad_token_id;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

/// `json`: the object in config.json. Of a LLaVA the LLM is read: its "text_config", or the keys of
/// LLaMA if it has no such object. In a "text_config" an absent key means transformers' default,
/// which it does not write there; elsewhere it is an error.
LlamaConfig parse_llama_config(const Json& json);
/// `path`: a config.json, a directory that contains one, or a directory of Meta's original files
/// (llama_pieces.h).
LlamaConfig read_llama_config(const std::filesystem::path& path);
/// The file that read_llama_config() reads: `path` itself, its config.json or its params.json.
std::filesystem::path llama_config_file(const std::filesystem::path& path);

}  // namespace lynceus::io
