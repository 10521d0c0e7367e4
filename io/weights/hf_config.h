// The config.json of a Hugging Face LLaMA directory: the numbers that define the architecture. Keys
// that would change the mathematics in a way that is not supported are refused by name, not
// ignored.
//
// Errors: InputError naming file, key, expected and found; all refused keys together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "io/files/json.h"

namespace lynceus::io {

struct LlamaConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;  ///< absent: num_attention_heads
  int64_t vocab_size = 0;
  double rms_norm_eps = 0;
  double rope_theta = 10000.0;
  int64_t max_position_embeddings = 2048;
  std::optional<int64_t> bos_token_id;
  std::optional<int64_t> eos_token_id;  ///< of a list: the first
  std::optional<int64_t> pad_token_id;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

/// From the object with the keys.
LlamaConfig parse_llama_config(const Json& json);
/// From a config.json, a directory that holds one, or a directory of LLaMA's original files
/// (llama_pieces.h).
LlamaConfig read_llama_config(const std::filesystem::path& path);
/// The file that read_llama_config() reads: `path` itself, its config.json or its params.json.
std::filesystem::path llama_config_file(const std::filesystem::path& path);

}  // namespace lynceus::io
