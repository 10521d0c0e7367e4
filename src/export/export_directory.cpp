// Writes an export under a temporary name; one rename makes it visible.
#include "export/export_directory.h"

#include <set>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/files/file.h"
#include "io/files/json_value.h"
#include "io/weights/hf_config.h"

namespace lynceus::weight_export {
namespace {

namespace fs = std::filesystem;

/// An upper bound for small files and headers.
constexpr uint64_t kOtherBytes = 16ull << 20;

fs::path with_ending(const fs::path& output, const char* ending) {
  fs::path path = output.has_filename() ? output : output.parent_path();
  return path += ending;
}

bool is_export_file(const std::string& name) {
  static const std::set<std::string> kNames = {"config.json", "tokenizer.model",
                                               "model.safetensors.index.json",
                                               "lynx.safetensors.index.json"};
  return kNames.contains(name) || (name.ends_with(".safetensors") &&
                                   (name.starts_with("model") || name.starts_with("lynx")));
}

}  // namespace

void refuse_existing(const fs::path& output, bool overwrite) {
  if (!io::file_exists(output)) return;
  if (!overwrite) throw UsageError("{}: already exists (--overwrite replaces it)", output.string());
  std::error_code error;
  for (fs::directory_iterator at(output, error), end; !error && at != end; at.increment(error))
    if (!is_export_file(at->path().filename().string()))
      throw UsageError("{}: cannot be replaced: it was not written by an export",
                       at->path().string());
  if (error) throw IoError("{}: {}", output.string(), error.message());
}

ExportDirectory::ExportDirectory(fs::path output, bool overwrite, uint64_t bytes)
    : output_(std::move(output)),
      partial_(with_ending(output_, ".partial")),
      overwrite_(overwrite) {
  std::error_code error;
  fs::remove_all(partial_, error);
  if (!error) fs::create_directories(partial_, error);
  if (error) throw IoError("{}: {}", partial_.string(), error.message());
  const fs::space_info space = fs::space(partial_, error);
  if (error || space.available < bytes + kOtherBytes) {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
    if (error) throw IoError("{}: {}", partial_.string(), error.message());
    throw IoError("{}: no space left for the export: {} bytes are needed, {} are free",
                  output_.string(), bytes + kOtherBytes, space.available);
  }
}

ExportDirectory::~ExportDirectory() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(partial_, ignored);
}

void ExportDirectory::commit() {
  io::sync_directory(partial_);
  const fs::path target = with_ending(output_, "");
  const fs::path old = with_ending(output_, ".replaced");
  refuse_existing(target, overwrite_);
  std::error_code ignored;
  if (io::file_exists(target)) {
    fs::remove_all(old, ignored);
    io::rename_new(target, old);
  }
  io::rename_new(partial_, target);
  committed_ = true;
  io::sync_directory(target.has_parent_path() ? target.parent_path() : ".");
  fs::remove_all(old, ignored);
}

void write_llama_config(const fs::path& directory, const model::LlmConfig& llm,
                        const io::Tokenizer& tokenizer, const std::string& dtype) {
  const auto id = [](int64_t token) { return token < 0 ? io::JsonValue() : io::JsonValue(token); };
  const int64_t positions = llm.weights.empty()
                                ? io::LlamaConfig{}.max_position_embeddings
                                : io::read_llama_config(llm.weights).max_position_embeddings;
  const io::JsonValue config = io::JsonValue::object(
      {{"architectures", io::JsonValue::array({"LlamaForCausalLM"})},
       {"model_type", "llama"},
       {"vocab_size", llm.vocab_size},
       {"hidden_size", llm.hidden_size},
       {"intermediate_size", llm.intermediate_size},
       {"num_hidden_layers", llm.num_layers},
       {"num_attention_heads", llm.num_heads},
       {"num_key_value_heads", llm.kv_heads()},
       {"hidden_act", "silu"},
       {"max_position_embeddings", positions},
       {"rms_norm_eps", llm.rms_norm_eps},
       {"rope_theta", llm.rope_theta},
       {"rope_scaling", llm.scaling().to_json()},
       {"attention_bias", false},
       {"tie_word_embeddings", llm.tie_word_embeddings},
       {"bos_token_id", id(tokenizer.bos_id())},
       {"eos_token_id", id(tokenizer.eos_id())},
       {"pad_token_id", id(llm.vocab_size > tokenizer.size() ? tokenizer.size() : -1)},
       {"torch_dtype", dtype == "f32"    ? "float32"
                       : dtype == "bf16" ? "bfloat16"
                                         : "float16"}});
  io::atomic_write_text(directory / "config.json", config.dump(2) + "\n");
}

void copy_durably(const fs::path& from, const fs::path& to) {
  io::atomic_write_text(to, io::read_text(from));
}

}  // namespace lynceus::weight_export
