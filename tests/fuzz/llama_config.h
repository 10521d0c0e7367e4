// Conditions for every accepted LLaMA config, from any format.
#pragma once

#include "fuzz/fuzz.h"
#include "io/weights/hf_config.h"

namespace lynceus::fuzz {

inline void check(const io::LlamaConfig& config) {
  require(config.hidden_size > 0 && config.num_hidden_layers > 0 && config.vocab_size > 0 &&
              config.intermediate_size > 0,
          "sizes are positive");
  require(config.head_dim() * config.num_attention_heads == config.hidden_size &&
              config.head_dim() % 2 == 0 && config.num_key_value_heads > 0 &&
              config.num_attention_heads % config.num_key_value_heads == 0,
          "heads divide the width");
  require(io::RopeScaling::from_text(config.rope_scaling.to_text()) == config.rope_scaling,
          "a scaling of positions reads back from its text");
  require(config.rms_norm_eps >= 0 && config.rope_theta > 0, "numbers are positive");
}

}  // namespace lynceus::fuzz
