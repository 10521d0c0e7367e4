// Older versions of transformers take special tokens from special_tokens_map.json and
// added_tokens.json, newer ones from tokenizer_config.json: all three say the same.
#include "export/companions.h"

#include "io/files/file.h"
#include "io/files/json_value.h"
#include "io/weights/hf_config.h"

namespace lynceus::weight_export {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPad = "[PAD]";

/// An id, or null if there is no such token.
io::JsonValue id(int64_t token) { return token < 0 ? io::JsonValue() : io::JsonValue(token); }

bool has_pad(const model::LlmConfig& llm, const io::Tokenizer& tokenizer) {
  return llm.vocab_size > tokenizer.size();
}

int64_t max_positions(const model::LlmConfig& llm) {
  if (!llm.weights.empty()) return io::read_llama_config(llm.weights).max_position_embeddings;
  const io::RopeScaling scaling = llm.scaling();
  return scaling.kind == io::RopeScaling::Kind::kDynamic
             ? scaling.original_positions
             : io::LlamaConfig{}.max_position_embeddings;
}

void write_json(const fs::path& file, const io::JsonValue& value) {
  io::atomic_write_text(file, value.dump(2) + "\n");
}

/// The special tokens that the model has, by transformers' names.
io::JsonValue special_tokens(const model::LlmConfig& llm, const io::Tokenizer& tokenizer) {
  io::JsonValue tokens = io::JsonValue::object();
  const auto add = [&](const char* key, int32_t token) {
    if (token >= 0) tokens.set(key, tokenizer.piece(token));
  };
  add("bos_token", tokenizer.bos_id());
  add("eos_token", tokenizer.eos_id());
  add("unk_token", tokenizer.unk_id());
  if (has_pad(llm, tokenizer)) tokens.set("pad_token", kPad);
  return tokens;
}

}  // namespace

void write_model_files(const fs::path& directory, const model::LlmConfig& llm,
                       const io::Tokenizer& tokenizer, const std::string& dtype) {
  const io::JsonValue config =
      io::JsonValue::object({{"architectures", io::JsonValue::array({"LlamaForCausalLM"})},
                             {"model_type", "llama"},
                             {"vocab_size", llm.vocab_size},
                             {"hidden_size", llm.hidden_size},
                             {"intermediate_size", llm.intermediate_size},
                             {"num_hidden_layers", llm.num_layers},
                             {"num_attention_heads", llm.num_heads},
                             {"num_key_value_heads", llm.kv_heads()},
                             {"hidden_act", "silu"},
                             {"max_position_embeddings", max_positions(llm)},
                             {"rms_norm_eps", llm.rms_norm_eps},
                             {"rope_theta", llm.rope_theta},
                             {"rope_scaling", llm.scaling().to_json()},
                             {"attention_bias", false},
                             {"tie_word_embeddings", llm.tie_word_embeddings},
                             {"bos_token_id", id(tokenizer.bos_id())},
                             {"eos_token_id", id(tokenizer.eos_id())},
                             {"pad_token_id", id(has_pad(llm, tokenizer) ? tokenizer.size() : -1)},
                             {"torch_dtype", dtype == "f32"    ? "float32"
                                             : dtype == "bf16" ? "bfloat16"
                                                               : "float16"}});
  write_json(directory / "config.json", config);
  write_json(directory / "generation_config.json",
             io::JsonValue::object(
                 {{"bos_token_id", id(tokenizer.bos_id())},
                  {"eos_token_id", id(tokenizer.eos_id())},
                  {"pad_token_id", id(has_pad(llm, tokenizer) ? tokenizer.size() : -1)}}));
}

void write_tokenizer_files(const fs::path& directory, const model::LlmConfig& llm,
                           const io::Tokenizer& tokenizer) {
  io::atomic_write_text(directory / "tokenizer.model", io::read_text(tokenizer.path()));
  const io::JsonValue special = special_tokens(llm, tokenizer);
  write_json(directory / "special_tokens_map.json", special);
  if (has_pad(llm, tokenizer))
    write_json(directory / "added_tokens.json", io::JsonValue::object({{kPad, tokenizer.size()}}));
  io::JsonValue config = io::JsonValue::object({{"tokenizer_class", "LlamaTokenizer"},
                                                {"add_bos_token", tokenizer.bos_id() >= 0},
                                                {"add_eos_token", false},
                                                {"clean_up_tokenization_spaces", false},
                                                {"legacy", true},
                                                {"model_max_length", max_positions(llm)},
                                                {"padding_side", "right"},
                                                {"sp_model_kwargs", io::JsonValue::object()}});
  for (const io::JsonValue::Member& member : special.members())
    config.set(member.key, member.value);
  write_json(directory / "tokenizer_config.json", config);
}

}  // namespace lynceus::weight_export
