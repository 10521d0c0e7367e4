// One top-level key per line and one tensor per line, so that people can read and diff the file.
// The digest in the last line is over all text before its key.
#include "io/checkpoint/manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/error.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "io/files/json_value.h"

namespace lynceus::io {

namespace {

constexpr const char* kFormat = "lynceus-checkpoint";
constexpr int64_t kVersion = 2;
constexpr uint64_t kBlockBytes = 4ull << 20;
constexpr uint64_t kMaxManifestBytes = 256ull << 20;
constexpr const char* kSkip = "skip";
constexpr const char* kRollback = "rollback";
constexpr std::string_view kDigestKey = ",\n\"digest\": \"";

[[noreturn]] void refuse(const std::string& origin, const std::string& reason) {
  throw InputError("{}: not a committed checkpoint: {}", origin, reason);
}

DType parse_dtype(const std::string& name, const std::string& where) {
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kI32, DType::kI64, DType::kU8})
    if (name == name_of(dtype)) return dtype;
  throw InputError("{}: expected f32, f64, i32, i64 or u8, found '{}'", where, name);
}

/// A relative HDF5 path without empty, "." or ".." parts.
void check_name(const std::string& name, const std::string& where) {
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string::npos)
      throw InputError("{}: expected a relative path, found '{}'", where, name);
    begin = end + 1;
  }
}

Shape parse_shape(const Json& json) {
  const std::vector<int64_t> extents = json.integers(1);
  if (extents.size() > static_cast<size_t>(Shape::kMaxRank))
    throw InputError("{}: expected at most {} axes, found {}", json.where(), Shape::kMaxRank,
                     extents.size());
  int64_t elements = 1;
  for (const int64_t extent : extents) {
    if (elements > std::numeric_limits<int64_t>::max() / 8 / extent)
      throw InputError("{}: the number of elements exceeds 64 bits", json.where());
    elements *= extent;
  }
  return Shape(std::span<const int64_t>(extents));
}

JsonValue to_json(const ManifestTensor& tensor) {
  JsonValue blocks = JsonValue::array();
  for (const Digest128& digest : tensor.blocks) blocks.push_back(digest.hex());
  return JsonValue::object({{"name", tensor.name},
                            {"shape", tensor.shape.to_vector()},
                            {"dtype", name_of(tensor.dtype)},
                            {"block_rows", digest_block_rows(tensor.shape, tensor.dtype)},
                            {"blocks", blocks}});
}

ManifestTensor parse_tensor(const Json& json) {
  ManifestTensor tensor;
  tensor.name = json.at("name").string();
  check_name(tensor.name, json.at("name").where());
  tensor.shape = parse_shape(json.at("shape"));
  tensor.dtype = parse_dtype(json.at("dtype").string(), json.at("dtype").where());
  const int64_t block_rows = digest_block_rows(tensor.shape, tensor.dtype);
  if (const int64_t found = json.at("block_rows").integer(); found != block_rows)
    throw InputError("{}: expected {}, found {}", json.at("block_rows").where(), block_rows, found);
  const Json blocks = json.at("blocks");
  const int64_t expected = digest_blocks(tensor.shape, tensor.dtype);
  if (static_cast<int64_t>(blocks.size()) != expected)
    throw InputError("{}: expected {} digests for shape {}, found {}", blocks.where(), expected,
                     tensor.shape.to_string(), blocks.size());
  for (const Json& block : blocks.elements())
    tensor.blocks.push_back(parse_digest128(block.string(), block.where()));
  return tensor;
}

std::map<std::string, std::string> parse_strings(const Json& json) {
  std::map<std::string, std::string> strings;
  for (const auto& [key, value] : json.members()) strings[key] = value.string();
  return strings;
}

std::map<std::string, FrozenWeights> parse_frozen(const Json& json) {
  std::map<std::string, FrozenWeights> frozen;
  for (const auto& [module, value] : json.members())
    frozen[module] = {value.at("identity").string(), value.at("checkpoint").string()};
  return frozen;
}

uint64_t parse_seed(const Json& json) {
  const std::string text = json.string();
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size())
    throw InputError("{}: expected an unsigned number, found '{}'", json.where(), text);
  return seed;
}

void parse_config(const Json& json, Manifest& manifest) {
  for (const Json& entry : json.elements()) {
    if (entry.size() != 2) throw InputError("{}: expected a pair of key and value", entry.where());
    manifest.config.emplace_back(entry.at(0).string(), entry.at(1).string());
  }
}

std::vector<LeftOutStep> parse_left_out(const Json& json) {
  std::vector<LeftOutStep> steps;
  for (const Json& entry : json.elements()) {
    LeftOutStep step;
    step.step = entry.at("step").integer(1);
    const std::string policy = entry.at("policy").string();
    if (policy != kSkip && policy != kRollback)
      throw InputError("{}: expected {} or {}, found '{}'", entry.at("policy").where(), kSkip,
                       kRollback, policy);
    step.rolled_back = policy == kRollback;
    step.first_sample = entry.at("first_sample").integer(0);
    step.end_sample = entry.at("end_sample").integer(step.first_sample + 1);
    steps.push_back(step);
  }
  return steps;
}

JsonValue to_json(const LeftOutStep& step) {
  return JsonValue::object({{"step", step.step},
                            {"policy", step.rolled_back ? kRollback : kSkip},
                            {"first_sample", step.first_sample},
                            {"end_sample", step.end_sample}});
}

/// InputError unless the tensors and the frame together have the size of the file.
void check_cover(const Json& file, const Manifest& manifest) {
  uint64_t end = 0;
  uint64_t covered = 0;
  for (const ByteRange& range : manifest.frame) {
    if (range.size == 0 || range.offset < end || range.offset > manifest.file_bytes ||
        range.size > manifest.file_bytes - range.offset)
      throw InputError(
          "{}: the range of offset {} and size {} overlaps another or exceeds the file",
          file.at("frame").where(), range.offset, range.size);
    end = range.offset + range.size;
    covered += range.size;
  }
  for (const ManifestTensor& tensor : manifest.tensors) covered += tensor.bytes();
  if (covered != manifest.file_bytes)
    throw InputError("{}: expected {} (frame and tensors), found {}", file.at("bytes").where(),
                     covered, manifest.file_bytes);
}

void parse_file(const Json& json, Manifest& manifest) {
  if (const std::string name = json.at("name").string(); name != kStateFileName)
    throw InputError("{}: expected '{}', found '{}'", json.at("name").where(), kStateFileName,
                     name);
  manifest.file_bytes = static_cast<uint64_t>(json.at("bytes").integer(0));
  for (const Json& range : json.at("frame").elements()) {
    const std::vector<int64_t> pair = range.integers(0);
    if (pair.size() != 2) throw InputError("{}: expected offset and size", range.where());
    manifest.frame.push_back({static_cast<uint64_t>(pair[0]), static_cast<uint64_t>(pair[1])});
  }
  manifest.frame_digest =
      parse_digest128(json.at("frame_digest").string(), json.at("frame_digest").where());
  check_cover(json, manifest);
}

/// InputError unless the text has the digest in its last line.
void check_own_digest(const std::string& text, const std::string& origin) {
  const size_t key = text.rfind(kDigestKey);
  if (key == std::string::npos) refuse(origin, "key digest: expected as the last key, found none");
  const size_t begin = key + kDigestKey.size();
  const size_t end = text.find('"', begin);
  if (end == std::string::npos || text.substr(end) != "\"\n}\n")
    refuse(origin, "key digest: expected as the last key, found text after it");
  const std::string expected = digest128(text.data(), key).hex();
  if (const std::string found = text.substr(begin, end - begin); found != expected)
    refuse(origin, fmt::format("key digest: expected {}, found {}", expected, found));
}

Manifest parse_checked(const std::string& text, const std::string& origin) {
  const Json json = Json::parse(text, origin, {.max_bytes = kMaxManifestBytes});
  if (const std::string format = json.at("format").string(); format != kFormat)
    throw InputError("{}: expected '{}', found '{}'", json.at("format").where(), kFormat, format);
  if (const int64_t version = json.at("version").integer(); version != kVersion)
    throw InputError("{}: expected {}, found {}", json.at("version").where(), kVersion, version);
  Manifest manifest;
  manifest.step = json.at("step").integer(0);
  manifest.samples_seen = json.at("samples_seen").integer(0);
  manifest.damaged_samples = json.at("damaged_samples").integer(0, manifest.samples_seen);
  manifest.software = json.at("software").string();
  parse_config(json.at("config"), manifest);
  for (const auto& [key, value] : json.at("seeds").members())
    manifest.seeds[key] = parse_seed(value);
  manifest.frozen_weights = parse_frozen(json.at("frozen_weights"));
  manifest.tokenizer = json.at("tokenizer").string();
  if (const auto found = json.find("prompt_template")) manifest.prompt_template = found->string();
  manifest.datasets = parse_strings(json.at("datasets"));
  for (const auto& [key, value] : json.at("parameter_steps").members())
    manifest.parameter_steps[key] = value.integer(0);
  if (const auto found = json.find("left_out")) manifest.left_out = parse_left_out(*found);
  for (const Json& tensor : json.at("tensors").elements()) {
    manifest.tensors.push_back(parse_tensor(tensor));
    const size_t count = manifest.tensors.size();
    if (count > 1 && manifest.tensors[count - 2].name >= manifest.tensors[count - 1].name)
      throw InputError("{}: '{}' appears twice or out of order", tensor.where(),
                       manifest.tensors.back().name);
  }
  parse_file(json.at("file"), manifest);
  return manifest;
}

}  // namespace

int64_t digest_rows(const Shape& shape) { return shape.rank() == 0 ? 1 : shape[0]; }

int64_t digest_block_rows(const Shape& shape, DType dtype) {
  const uint64_t bytes = static_cast<uint64_t>(shape.elements()) * size_of(dtype);
  const uint64_t rows = static_cast<uint64_t>(digest_rows(shape));
  if (bytes == 0) return 1;
  return static_cast<int64_t>(std::clamp<uint64_t>(kBlockBytes / (bytes / rows), 1, rows));
}

int64_t digest_blocks(const Shape& shape, DType dtype) {
  const int64_t block_rows = digest_block_rows(shape, dtype);
  return (digest_rows(shape) + block_rows - 1) / block_rows;
}

const ManifestTensor* Manifest::find(const std::string& name) const {
  const auto found = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const ManifestTensor& tensor, const std::string& key) { return tensor.name < key; });
  return found != tensors.end() && found->name == name ? &*found : nullptr;
}

std::string to_text(const Manifest& manifest) {
  std::string text;
  const auto add = [&text](const char* key, const JsonValue& value) {
    text += fmt::format("{}\n\"{}\": {}", text.empty() ? "{" : ",", key, value.dump_replacing());
  };
  JsonValue config = JsonValue::array();
  for (const auto& [key, value] : manifest.config) config.push_back(JsonValue::array({key, value}));
  JsonValue seeds = JsonValue::object();
  for (const auto& [key, value] : manifest.seeds) seeds.set(key, std::to_string(value));
  JsonValue frame = JsonValue::array();
  for (const ByteRange& range : manifest.frame)
    frame.push_back(JsonValue::array({range.offset, range.size}));
  JsonValue frozen_weights = JsonValue::object();
  for (const auto& [module, weights] : manifest.frozen_weights)
    frozen_weights.set(module, JsonValue::object({{"identity", weights.identity},
                                                  {"checkpoint", weights.checkpoint}}));
  add("format", kFormat);
  add("version", kVersion);
  add("step", manifest.step);
  add("samples_seen", manifest.samples_seen);
  add("damaged_samples", manifest.damaged_samples);
  JsonValue left_out = JsonValue::array();
  for (const LeftOutStep& step : manifest.left_out) left_out.push_back(to_json(step));
  add("left_out", left_out);
  add("software", manifest.software);
  add("config", config);
  add("seeds", seeds);
  add("frozen_weights", frozen_weights);
  add("tokenizer", manifest.tokenizer);
  add("prompt_template", manifest.prompt_template);
  add("datasets", manifest.datasets);
  add("parameter_steps", manifest.parameter_steps);
  add("file", JsonValue::object({{"name", kStateFileName},
                                 {"bytes", manifest.file_bytes},
                                 {"frame_digest", manifest.frame_digest.hex()},
                                 {"frame", frame}}));
  text += ",\n\"tensors\": [";
  for (const ManifestTensor& tensor : manifest.tensors)
    text += fmt::format("{}\n{}", &tensor == manifest.tensors.data() ? "" : ",",
                        to_json(tensor).dump());
  text += "\n]";
  const std::string digest = digest128(text.data(), text.size()).hex();
  text += fmt::format("{}{}\"\n}}\n", kDigestKey, digest);
  return text;
}

Manifest parse_manifest(const std::string& text, const std::string& origin) {
  check_own_digest(text, origin);
  try {
    return parse_checked(text, origin);
  } catch (const InputError& error) {
    throw InputError("not a committed checkpoint: {}", error.what());
  }
}

Manifest read_manifest(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / kManifestName;
  if (!file_exists(path)) refuse(directory.string(), "it has no MANIFEST.json");
  return parse_manifest(read_text(path, kMaxManifestBytes), path.string());
}

}  // namespace lynceus::io
