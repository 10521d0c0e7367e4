// Weight sources on disk: one safetensors file, or several under an index.
#include <algorithm>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "io/generated_weights.h"
#include "io/json.h"
#include "io/weights.h"

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
  void read(const std::string& name, const Slice& slice, const Tensor& out) const override {
    file_.read(name, slice, out);
  }
  std::string describe() const override { return file_.path().string(); }
  std::vector<fs::path> files() const override { return {file_.path()}; }

 private:
  SafetensorsFile file_;
};

/// The path of a shard, refused unless it stays below the directory of its index.
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

/// The shards that an index names; every name must lie where the index says.
WeightSourcePtr open_index(const fs::path& index) {
  const fs::path directory = index.parent_path();
  const Json map = Json::read(index).at("weight_map");
  std::map<fs::path, std::vector<std::string>> names_of;
  for (const auto& [name, file] : map.members())
    names_of[shard_path(directory, file)].push_back(name);
  if (names_of.empty()) throw InputError("{}: names no tensor", map.where());

  std::vector<WeightSourcePtr> shards;
  std::string missing;
  for (const auto& [file, names] : names_of) {
    shards.push_back(std::make_shared<SafetensorsSource>(file));
    for (const std::string& name : names)
      if (!shards.back()->has(name))
        missing += fmt::format("\n  {} is not in {}", name, file.string());
  }
  if (!missing.empty())
    throw InputError("{}: names tensors that are not there:{}", index.string(), missing);
  return shards.size() == 1 ? shards.front() : combine(std::move(shards));
}

std::optional<fs::path> weights_in(const fs::path& directory) {
  for (const char* name : {"model.safetensors", "model.safetensors.index.json",
                           "weights.safetensors", "weights.gen.json"}) {
    std::error_code error;
    if (fs::exists(directory / name, error)) return directory / name;
    if (error) throw IoError("stat '{}': {}", (directory / name).string(), error.message());
  }
  return std::nullopt;
}

}  // namespace

WeightSourcePtr open_weights(const fs::path& path) {
  std::error_code ignored;  // what cannot be looked at fails below, when it is opened
  if (fs::is_directory(path, ignored)) {
    const auto found = weights_in(path);
    if (!found)
      throw InputError(
          "{}: no weights here: expected model.safetensors, "
          "model.safetensors.index.json, weights.safetensors or weights.gen.json",
          path.string());
    return open_weights(*found);
  }
  const std::string name = path.filename().string();
  if (name.ends_with(".index.json")) return open_index(path);
  if (name.ends_with(".gen.json")) return open_generated_weights(path);
  if (name.ends_with(".safetensors")) return std::make_shared<SafetensorsSource>(path);
  throw InputError("{}: expected a directory, *.safetensors, *.index.json or *.gen.json",
                   path.string());
}

}  // namespace lynceus::io
