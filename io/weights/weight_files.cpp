#include "io/weights/weight_files.h"

#include <algorithm>
#include <array>
#include <map>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/files/json.h"
#include "io/weights/generated_weights.h"
#include "io/weights/llama_pieces.h"
#include "io/weights/name_list.h"
#include "io/weights/released_names.h"
#include "io/weights/safetensors.h"
#include "io/weights/torch_file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

class SafetensorsSource : public WeightSource {
 public:
  explicit SafetensorsSource(const fs::path& path) : file_(path) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const SafetensorsEntry& entry : file_.entries()) all.push_back(entry.name);
    std::sort(all.begin(), all.end());
    return all;
  }
  bool has(const std::string& name) const override { return file_.has(name); }
  Shape shape(const std::string& name) const override { return file_.entry(name).shape; }
  std::optional<FileType> stored_type(const std::string& name) const override {
    return file_.entry(name).type;
  }
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    file_.read(name, slice, out);
  }
  std::string describe() const override { return file_.path().string(); }
  std::vector<fs::path> files() const override { return {file_.path()}; }

 private:
  SafetensorsFile file_;
};

/// The path of a file of an index. InputError unless it is below the directory of the index.
fs::path shard_path(const fs::path& directory, const Json& value) {
  const std::string text = value.string();
  const fs::path shard = fs::path(text).lexically_normal();
  const bool inside = !text.empty() && text.find('\0') == std::string::npos &&
                      shard.is_relative() && *shard.begin() != ".." && shard != ".";
  if (!inside)
    throw InputError("{}: expected a file below the index's directory, found '{}'", value.where(),
                     text.substr(0, 200));
  return directory / shard;
}

/// Opens a file of tensors by its file name extension; nullptr for other extensions.
WeightSourcePtr open_tensors(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".safetensors")) return std::make_shared<SafetensorsSource>(path);
  if (is_torch_name(name)) return open_torch_file(path);
  return nullptr;
}

/// The files that an index names. InputError if a tensor is not in the file that the index gives.
WeightSourcePtr open_index(const fs::path& index) {
  const fs::path directory = index.parent_path();
  const Json map = Json::read(index).at("weight_map");
  std::map<fs::path, std::vector<std::string>> names_of;
  for (const auto& [name, file] : map.members())
    names_of[shard_path(directory, file)].push_back(name);
  if (names_of.empty()) throw InputError("{}: names no tensor", map.where());

  std::vector<WeightSourcePtr> shards;
  std::vector<std::string> missing;
  for (const auto& [file, names] : names_of) {
    shards.push_back(open_tensors(file));
    if (!shards.back())
      throw InputError("{}: expected *.safetensors, *.bin, *.pt or *.pth, found '{}'", map.where(),
                       file.filename().string());
    for (const std::string& name : names)
      if (!shards.back()->has(name))
        missing.push_back(fmt::format("{} is not in {}", name, file.string()));
  }
  if (!missing.empty())
    throw InputError("{}: names {} tensors that are missing: {}", index.string(), missing.size(),
                     name_list(missing));
  return shards.size() == 1 ? shards.front() : combine(std::move(shards));
}

// The formats that are safest to read come first.
constexpr std::array<const char*, 7> kWeightNames = {
    "model.safetensors",   "model.safetensors.index.json",
    "pytorch_model.bin",   "pytorch_model.bin.index.json",
    "consolidated.00.pth", "weights.safetensors",
    "weights.gen.json"};

/// Weights by a rule, for reference cases.
bool is_generated_name(const std::string& name) { return name.ends_with(".gen.json"); }

WeightSourcePtr open_directory(const fs::path& directory) {
  std::string expected;
  for (const char* name : kWeightNames) {
    std::error_code ignored;  // a link to nowhere is reported when it is opened
    if (file_exists(directory / name) || fs::is_symlink(directory / name, ignored))
      return name == kPieceName ? open_llama_pieces(directory) : open_weights(directory / name);
    if (!is_generated_name(name)) expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError("{}: no weights here: expected one of {}", directory.string(), expected);
}

}  // namespace

WeightSourcePtr open_weights(const fs::path& path) {
  expect_file(path, "weights");
  std::error_code ignored;  // a path without access fails below, when it is opened
  if (fs::is_directory(path, ignored)) return open_directory(path);
  const std::string name = path.filename().string();
  if (name.ends_with(".index.json")) return open_index(path);
  if (is_generated_name(name)) return open_generated_weights(path);
  if (WeightSourcePtr source = open_tensors(path)) return without_model_prefix(std::move(source));
  throw InputError("{}: expected a directory, *.safetensors, *.bin, *.pt, *.pth or *.index.json",
                   path.string());
}

}  // namespace lynceus::io
