// The safetensors reader: header checks, then slices by pread.
#include "io/weights/safetensors.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "core/text/text_encoding.h"
#include "io/files/json.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr const char* kMetadataKey = "__metadata__";

FileType parse_type(const Json& json) {
  const std::string name = json.string();
  if (const auto type = file_type(name)) return *type;
  throw InputError("{}: unknown dtype '{}'", json.where(), name.substr(0, 40));
}

Shape parse_shape(const Json& json) {
  const size_t rank = json.elements().size();
  if (rank > Shape::kMaxRank)
    throw InputError("{}: {} axes, at most {} are supported", json.where(), rank, Shape::kMaxRank);
  return Shape(json.integers(0));
}

SafetensorsEntry parse_entry(const std::string& name, const Json& json) {
  SafetensorsEntry entry;
  entry.name = name;
  entry.type = parse_type(json.at("dtype"));
  entry.shape = parse_shape(json.at("shape"));
  const Json offsets = json.at("data_offsets");
  const std::vector<int64_t> range = offsets.integers(0);
  if (range.size() != 2 || range[1] < range[0])
    throw InputError("{}: expected [begin, end] with begin <= end, found {}", offsets.where(),
                     offsets.dump().substr(0, 80));
  entry.begin = static_cast<uint64_t>(range[0]);
  entry.end = static_cast<uint64_t>(range[1]);
  const auto bytes = bytes_of(entry.shape, size_of(entry.type));
  if (!bytes)
    throw InputError("{}: the size of shape {} overflows", json.where(), entry.shape.to_string());
  if (*bytes != entry.end - entry.begin)
    throw InputError("{}: {} of shape {} has {} bytes, its data_offsets span {}", json.where(),
                     name_of(entry.type), entry.shape.to_string(), *bytes, entry.end - entry.begin);
  return entry;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(File::open(follow_link_text(path))) {
  const std::string shown = file_.path().string();
  const uint64_t size = file_.size();
  const std::string head = file_.head(kForeignHeadBytes);
  // The header begins with its length; its text begins with {.
  if (head.size() <= sizeof(uint64_t) || head[sizeof(uint64_t)] != '{')
    refuse_foreign(head, shown, "a safetensors file");
  uint64_t header_bytes = 0;
  if (size < sizeof(header_bytes))
    throw InputError(
        "{}: not a safetensors file: expected at least 8 bytes for the header length, found {}",
        shown, size);
  file_.read_at(0, &header_bytes, sizeof(header_bytes));
  if (header_bytes > kMaxHeaderBytes)
    throw InputError(
        "{}: not a safetensors file: its header has {} bytes, at most {} are "
        "accepted",
        shown, header_bytes, kMaxHeaderBytes);
  data_begin_ = sizeof(header_bytes) + header_bytes;
  if (data_begin_ > size)
    throw InputError("{}: truncated: header of {} bytes in a file of {}", shown, header_bytes,
                     size);
  std::string text(header_bytes, '\0');
  file_.read_at(sizeof(header_bytes), text.data(), text.size());
  parse_header(text, size - data_begin_);
}

void SafetensorsFile::parse_header(std::string_view text, uint64_t data_bytes) {
  if (byte_order_mark(text) > 0)
    throw InputError("{}: expected a header without a byte order mark", path().string());
  JsonLimits limits;
  limits.max_bytes = kMaxHeaderBytes;
  const Json header = Json::parse(text, path().string(), limits);
  for (const auto& [name, json] : header.members()) {
    if (name == kMetadataKey) {
      for (const auto& [key, value] : json.members()) metadata_[key] = value.string();
    } else {
      entries_.push_back(parse_entry(name, json));
    }
  }
  // An empty tensor has the same begin as the tensor after it and is sorted before it.
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
                     return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
                   });
  check_ranges(data_bytes);
  for (size_t i = 0; i < entries_.size(); ++i) index_[entries_[i].name] = i;
}

void SafetensorsFile::check_ranges(uint64_t data_bytes) const {
  uint64_t covered = 0;
  for (const SafetensorsEntry& entry : entries_) {
    if (entry.begin != covered)
      throw InputError("{}: tensor '{}' begins at data byte {}, expected {}: the tensors {}",
                       path().string(), entry.name, entry.begin, covered,
                       entry.begin < covered ? "overlap" : "leave a gap");
    covered = entry.end;
  }
  if (covered != data_bytes)
    throw InputError("{}: {}: the tensors have {} bytes, but {} follow the header", path().string(),
                     covered > data_bytes ? "truncated" : "bytes that belong to no tensor", covered,
                     data_bytes);
}

const SafetensorsEntry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw InputError("{}: there is no tensor '{}'", path().string(), name);
  return entries_[found->second];
}

Tensor SafetensorsFile::read(const Stream& stream, const std::string& name,
                             MemoryOwner owner) const {
  const SafetensorsEntry& found = entry(name);
  const auto dtype = dtype_of(found.type);
  if (!dtype)
    throw InputError("{}: tensor '{}' has dtype {}, which cannot be read", path().string(), name,
                     name_of(found.type));
  Tensor tensor = Tensor::empty(stream, found.shape, *dtype, owner);
  read(name, {}, tensor);
  return tensor;
}

void SafetensorsFile::read(const std::string& name, const Slice& slice, const Tensor& out) const {
  const SafetensorsEntry& found = entry(name);
  read_slice(file_, {name, found.type, found.shape, data_begin_ + found.begin}, slice, out);
}

}  // namespace lynceus::io
