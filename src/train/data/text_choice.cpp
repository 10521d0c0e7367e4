#include "train/data/text_choice.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/log.h"
#include "core/resource.h"
#include "io/files/json.h"
#include "io/text/lower_case.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAuto = "auto";
constexpr const char* kTokenizerName = "tokenizer.model";
constexpr const char* kCheckpointOrigin = "the checkpoint";
constexpr const char* kLynx = "lynx";
constexpr const char* kCased = "lynx-cased";

io::PromptStyle load_named(const std::string& name) {
  return io::PromptStyle::load(find_resource("data.prompt", "prompts", name, ".ini"));
}

/// The folder of a path to weights, which may be one of its files.
fs::path folder_of(const std::string& weights) {
  std::error_code ignored;
  const fs::path path = fs::path(weights).lexically_normal();
  const fs::path named = path.has_filename() ? path : path.parent_path();
  return fs::is_directory(named, ignored) ? named : named.parent_path();
}

std::string find_tokenizer(const std::string& weights) {
  std::error_code ignored;
  const fs::path folder = folder_of(weights);
  for (const fs::path& place : {folder, folder / ".."})
    if (fs::is_regular_file(place / kTokenizerName, ignored))
      return (place / kTokenizerName).lexically_normal().string();
  throw InputError(
      "data.tokenizer: expected a SentencePiece model or, without a value, {} in model.weights, "
      "found none in {}",
      kTokenizerName, folder.string());
}

bool names_vicuna(const std::string& text) {
  return io::lower_case(text).find("vicuna") != std::string::npos;
}

/// Whether the name of the folder says so; for one in a cache of Hugging Face, where the last name
/// is a hash, that of its repository.
bool is_vicuna_folder(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::path& path : {folder, fs::weakly_canonical(folder, ignored)}) {
    if (names_vicuna(path.filename().string())) return true;
    for (const fs::path& part : path)
      if (part.string().starts_with("models--") && names_vicuna(part.string())) return true;
  }
  return false;
}

/// What makes weights a Vicuna; empty: they are none.
std::string why_vicuna(const std::string& weights, const std::string& delta) {
  const fs::path folder = folder_of(weights);
  if (is_vicuna_folder(folder)) return folder.string();
  if (!delta.empty() && is_vicuna_folder(folder_of(delta))) return delta;
  const fs::path file = folder / "config.json";
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) return "";
  try {
    const auto name = io::Json::read(file).find("_name_or_path");
    return name && name->is_string() && names_vicuna(name->string()) ? file.string() : "";
  } catch (const Error&) {  // whoever reads the architecture says why
    return "";
  }
}

void choose_template(ConfigReader* reader, const std::string& weights, const std::string& delta) {
  const std::string vicuna = weights.empty() ? "" : why_vicuna(weights, delta);
  if (!vicuna.empty())
    reader->set("data.prompt", "vicuna", vicuna);
  else
    reader->set("data.prompt", kLynx, "default");
}

/// The manifest of version 0.1.0 does not say which template lynx it means: it had only one.
bool began_cased(const io::Manifest& recorded) {
  return recorded.prompt_template.empty() ||
         recorded.prompt_template.starts_with(load_named(kCased).fingerprint());
}

}  // namespace

std::vector<std::string> recorded_values(const io::Manifest& manifest, const std::string& key) {
  std::vector<std::string> values;
  for (const auto& [name, value] : manifest.config)
    if (name == key) values.push_back(value);
  return values;
}

void choose_text(DataConfig* config, ConfigReader* reader, const std::string& weights,
                 const std::string& delta, const io::Manifest* recorded) {
  const auto keep = [&](const char* key) {
    if (recorded == nullptr) return false;
    const std::vector<std::string> values = recorded_values(*recorded, key);
    if (values.size() != 1 || values[0].empty()) return false;
    reader->set(key, values[0], kCheckpointOrigin);
    return true;
  };
  if (config->tokenizer.empty() && !keep("data.tokenizer")) {
    if (weights.empty())
      throw UsageError("data.tokenizer: expected a SentencePiece model, found none");
    reader->set("data.tokenizer", find_tokenizer(weights), "model.weights");
  }
  if (config->prompt == kAuto && !keep("data.prompt")) choose_template(reader, weights, delta);
}

io::PromptStyle load_template(const DataConfig& config, const io::Manifest* recorded,
                              bool may_change) {
  io::PromptStyle style = load_named(config.prompt == kAuto ? kLynx : config.prompt);
  if (recorded == nullptr || may_change) return style;
  const std::vector<std::string> before = recorded_values(*recorded, "data.prompt");
  if (std::find(before.begin(), before.end(), config.prompt) == before.end() ||
      style.fingerprint() != load_named(kLynx).fingerprint() || !began_cased(*recorded))
    return style;
  log::info("data.prompt = {} means {} in this run, which began when that was the template lynx",
            config.prompt, kCased);
  return load_named(kCased);
}

std::string describe_template(const io::PromptStyle& style) {
  return fmt::format("{} ({})", style.fingerprint(), style.name);
}

std::string recorded_template(const io::Manifest& recorded) {
  if (!recorded.prompt_template.empty()) return recorded.prompt_template;
  const std::vector<std::string> before = recorded_values(recorded, "data.prompt");
  if (before.empty()) return "";
  try {
    const io::PromptStyle style = load_named(before.front());
    return describe_template(
        style.fingerprint() == load_named(kLynx).fingerprint() ? load_named(kCased) : style);
  } catch (const Error&) {
    return "";
  }
}

}  // namespace lynceus::train
