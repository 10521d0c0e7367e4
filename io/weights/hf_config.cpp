// Parses LLaMA's config.json and refuses unsupported values.
#include "io/weights/hf_config.h"

#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "io/weights/llama_pieces.h"

namespace lynceus::io {
namespace {

/// A key with one supported value. An absent key and null also mean the supported value.
struct Refusal {
  const char* key;
  const char* supported;
  std::function<bool(const Json&)> accepts;
};

bool is_false(const Json& json) { return json.is_boolean() && !json.boolean(); }
bool is_number(const Json& json, double value) {
  return json.is_number() && json.number() == value;
}
bool is_text(const Json& json, const char* text) {
  return json.is_string() && json.string() == text;
}
bool never(const Json&) { return false; }

/// A LLaVA is a LLaMA with other modules; older versions have the keys of both in one object.
bool is_llava(const Json& model_type) {
  return model_type.is_string() && model_type.string().starts_with("llava");
}

void refuse_unsupported(const Json& json) {
  const Refusal rotates_all = {"partial_rotary_factor", "1",
                               [](const Json& j) { return is_number(j, 1.0); }};
  const std::vector<Refusal> refusals = {
      {"model_type", "\"llama\"", [](const Json& j) { return is_text(j, "llama") || is_llava(j); }},
      {"hidden_act", "\"silu\"", [](const Json& j) { return is_text(j, "silu"); }},
      rotates_all,
      {"attention_bias", "false", is_false},
      {"mlp_bias", "false", is_false},
      {"attention_dropout", "0", [](const Json& j) { return is_number(j, 0.0); }},
      {"sliding_window", "null", never},
      {"quantization_config", "null", never},
  };
  std::string problems;
  const auto check = [&](const Json& object, const std::string& inside, const Refusal& refusal) {
    const auto value = object.find(refusal.key);
    if (!value || value->is_null() || refusal.accepts(*value)) return;
    problems += fmt::format("\n  {}{}: expected {}, found {}", inside, refusal.key,
                            refusal.supported, value->dump().substr(0, 100));
  };
  for (const Refusal& refusal : refusals) check(json, "", refusal);
  for (const char* key : {"rope_scaling", "rope_parameters"})
    if (const auto rope = json.find(key); rope && rope->is_object())
      check(*rope, std::string(key) + ".", rotates_all);
  if (!problems.empty())
    throw InputError("{}: this model needs unsupported features:{}", json.where(), problems);
}

std::optional<int64_t> token_id(const Json& json, const char* key) {
  const auto value = json.find(key);
  if (!value || value->is_null()) return std::nullopt;
  if (value->is_array()) return value->at(size_t{0}).integer(-1);
  return value->integer(-1);
}

void check_divides(const Json& json, const char* divisor_key, int64_t divisor,
                   const char* dividend_key, int64_t dividend) {
  if (dividend % divisor != 0)
    throw InputError("{}: {} = {} does not divide {} = {}", json.where(), divisor_key, divisor,
                     dividend_key, dividend);
}

/// What transformers leaves out of a config inside another one: the defaults of its LlamaConfig.
LlamaConfig llama_defaults() {
  LlamaConfig config;
  config.hidden_size = 4096;
  config.intermediate_size = 11008;
  config.num_hidden_layers = 32;
  config.num_attention_heads = 32;
  config.vocab_size = 32000;
  config.rms_norm_eps = 1e-6;
  config.bos_token_id = 1;
  config.eos_token_id = 2;
  return config;
}

/// The rotary base: as transformers 5 reads it, that of rope_scaling or rope_parameters counts
/// before the older key outside.
void read_rope_theta(const Json& json, double* theta) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto parameters = json.find(key);
    if (!parameters || !parameters->is_object()) continue;
    if (const auto inside = parameters->find("rope_theta"); inside && !inside->is_null()) {
      *theta = inside->number();
      return;
    }
  }
  if (const auto outside = json.find("rope_theta"); outside && !outside->is_null())
    *theta = outside->number();
}

constexpr int64_t kMostSize = 1 << 30;

/// The sizes of the model. `is_nested`: a key may be absent and then has its default.
void read_sizes(const Json& json, bool is_nested, LlamaConfig* config) {
  const auto size = [&](const char* key, int64_t* value) {
    if (!is_nested || json.find(key)) *value = json.at(key).integer(1, kMostSize);
  };
  size("hidden_size", &config->hidden_size);
  size("intermediate_size", &config->intermediate_size);
  size("num_hidden_layers", &config->num_hidden_layers);
  size("num_attention_heads", &config->num_attention_heads);
  size("vocab_size", &config->vocab_size);
  if (!is_nested || json.find("rms_norm_eps"))
    config->rms_norm_eps = json.at("rms_norm_eps").number();
  const auto kv_heads = json.find("num_key_value_heads");
  config->num_key_value_heads = kv_heads && !kv_heads->is_null() ? kv_heads->integer(1, kMostSize)
                                                                 : config->num_attention_heads;
}

void check_sizes(const Json& json, const LlamaConfig& config) {
  check_divides(json, "num_attention_heads", config.num_attention_heads, "hidden_size",
                config.hidden_size);
  check_divides(json, "num_key_value_heads", config.num_key_value_heads, "num_attention_heads",
                config.num_attention_heads);
  if (config.head_dim() % 2 != 0)
    throw InputError(
        "{}: hidden_size / num_attention_heads = {} is odd; rotary position embedding needs an "
        "even number",
        json.where(), config.head_dim());
  const auto head_dim = json.find("head_dim");
  if (head_dim && !head_dim->is_null() && head_dim->integer() != config.head_dim())
    throw InputError("{}: expected hidden_size / num_attention_heads = {}, found {}",
                     head_dim->where(), config.head_dim(), head_dim->integer());
  if (!(config.rms_norm_eps >= 0) || !(config.rope_theta > 0))
    throw InputError("{}: rms_norm_eps = {} must be at least 0 and rope_theta = {} positive",
                     json.where(), config.rms_norm_eps, config.rope_theta);
}

LlamaConfig parse(const Json& json, bool is_nested) {
  refuse_unsupported(json);
  LlamaConfig config = is_nested ? llama_defaults() : LlamaConfig();
  read_sizes(json, is_nested, &config);
  read_rope_theta(json, &config.rope_theta);
  if (const auto positions = json.find("max_position_embeddings"))
    config.max_position_embeddings = positions->integer(1, kMostSize);
  config.rope_scaling = parse_rope_scaling(json, config.max_position_embeddings);
  if (const auto tied = json.find("tie_word_embeddings"); tied && !tied->is_null())
    config.tie_word_embeddings = tied->boolean();
  if (json.find("bos_token_id")) config.bos_token_id = token_id(json, "bos_token_id");
  if (json.find("eos_token_id")) config.eos_token_id = token_id(json, "eos_token_id");
  config.pad_token_id = token_id(json, "pad_token_id");
  check_sizes(json, config);
  return config;
}

}  // namespace

LlamaConfig parse_llama_config(const Json& json) {
  const auto type = json.find("model_type"), text = json.find("text_config");
  const bool has_llm = type && is_llava(*type) && text && text->is_object();
  return has_llm ? parse(*text, /*is_nested=*/true) : parse(json, /*is_nested=*/false);
}

std::filesystem::path llama_config_file(const std::filesystem::path& path) {
  std::error_code ignored;  // a path without access fails when it is opened
  if (!std::filesystem::is_directory(path, ignored)) return path;
  const std::filesystem::path params = path / kParamsName;
  return !file_exists(path / "config.json") && file_exists(params) ? params : path / "config.json";
}

LlamaConfig read_llama_config(const std::filesystem::path& path) {
  const std::filesystem::path file = llama_config_file(path);
  if (file.filename() == kParamsName) return read_llama_params(file.parent_path());
  if (!file_exists(file) && file_exists(path / "adapter_config.json"))
    throw InputError(
        "{}: expected a model with config.json, found adapter_config.json: merge this adapter into "
        "its model first",
        path.string());
  expect_file(file, "the config of a LLaMA");
  return parse_llama_config(Json::read(file));
}

}  // namespace lynceus::io
