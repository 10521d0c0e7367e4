// config.json of a LLaMA: what is accepted is a model that can be built.
#include "io/hf_config.h"

#include "fuzz/fuzz.h"

using namespace lynceus;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  fuzz::accepts([&] {
    const io::LlamaConfig config = io::parse_llama_config(io::Json::parse(input, "config.json"));
    fuzz::require(config.hidden_size > 0 && config.num_hidden_layers > 0 && config.vocab_size > 0,
                  "sizes are positive");
    fuzz::require(config.head_dim() * config.num_attention_heads == config.hidden_size &&
                      config.head_dim() % 2 == 0 && config.num_key_value_heads > 0 &&
                      config.num_attention_heads % config.num_key_value_heads == 0,
                  "heads divide the width");
    fuzz::require(config.rms_norm_eps >= 0 && config.rope_theta > 0, "numbers are positive");
  });
  return 0;
}
