// The safetensors reader: header checks, then slices by pread.
#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <optional>

#include "io/convert.h"
#include "io/json.h"

namespace lynceus::io {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr uint64_t kBufferBytes = 4ull << 20;
constexpr const char* kMetadataKey = "__metadata__";

struct TypeRow {
  const char* name;
  size_t size;
  std::optional<DType> dtype;  // nothing: known, but not readable
};
// In the order of FileType.
constexpr std::array<TypeRow, 15> kTypes{{{"F64", 8, DType::kF64},
                                          {"F32", 4, DType::kF32},
                                          {"F16", 2, DType::kF16},
                                          {"BF16", 2, DType::kBf16},
                                          {"F8_E4M3", 1, std::nullopt},
                                          {"F8_E5M2", 1, std::nullopt},
                                          {"I64", 8, DType::kI64},
                                          {"I32", 4, DType::kI32},
                                          {"I16", 2, std::nullopt},
                                          {"I8", 1, std::nullopt},
                                          {"U64", 8, std::nullopt},
                                          {"U32", 4, std::nullopt},
                                          {"U16", 2, std::nullopt},
                                          {"U8", 1, DType::kU8},
                                          {"BOOL", 1, std::nullopt}}};

const TypeRow& row_of(FileType type) { return kTypes[static_cast<size_t>(type)]; }

FileType parse_type(const Json& json) {
  const std::string name = json.string();
  for (size_t i = 0; i < kTypes.size(); ++i)
    if (name == kTypes[i].name) return static_cast<FileType>(i);
  throw InputError("{}: unknown dtype '{}'", json.where(), name.substr(0, 40));
}

Shape parse_shape(const Json& json) {
  const size_t rank = json.elements().size();
  if (rank > Shape::kMaxRank)
    throw InputError("{}: {} axes, at most {} are supported", json.where(), rank, Shape::kMaxRank);
  return Shape(json.integers(0));
}

/// Bytes of a tensor; nothing if the product overflows.
std::optional<uint64_t> bytes_of(const Shape& shape, size_t element_size) {
  int64_t bytes = 1;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return std::nullopt;
  if (__builtin_mul_overflow(bytes, static_cast<int64_t>(element_size), &bytes))
    return std::nullopt;
  return static_cast<uint64_t>(bytes);
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

/// A slice of a row-major tensor is `outer` runs of bytes, `stride` apart.
struct Runs {
  uint64_t outer = 1;
  uint64_t first = 0;
  uint64_t run = 0;
  uint64_t stride = 0;
};

Runs runs_of(const Shape& shape, const Slice& slice, size_t element_size) {
  Runs runs;
  if (slice.axis < 0) {
    runs.run = runs.stride = static_cast<uint64_t>(shape.elements()) * element_size;
    return runs;
  }
  uint64_t inner = element_size;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis < slice.axis) runs.outer *= static_cast<uint64_t>(shape[axis]);
    if (axis > slice.axis) inner *= static_cast<uint64_t>(shape[axis]);
  }
  runs.first = static_cast<uint64_t>(slice.begin) * inner;
  runs.run = static_cast<uint64_t>(slice.count) * inner;
  runs.stride = static_cast<uint64_t>(shape[slice.axis]) * inner;
  return runs;
}

}  // namespace

Shape Slice::of(const Shape& whole) const {
  if (axis < 0) return whole;
  LYNCEUS_CHECK(axis < whole.rank() && begin >= 0 && count >= 0 && begin <= whole[axis] &&
                    count <= whole[axis] - begin,
                "{} from {} of axis {} of shape {}", count, begin, axis, whole.to_string());
  Shape part = whole;
  part.set(axis, count);
  return part;
}

const char* name_of(FileType type) { return row_of(type).name; }
size_t size_of(FileType type) { return row_of(type).size; }

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(File::open(follow_link_text(path))) {
  const std::string shown = file_.path().string();
  const uint64_t size = file_.size();
  uint64_t header_bytes = 0;
  if (size < sizeof(header_bytes))
    throw InputError("{}: not a safetensors file: {} bytes, the header length alone has 8", shown,
                     size);
  file_.read_at(0, &header_bytes, sizeof(header_bytes));
  if (header_bytes > kMaxHeaderBytes)
    throw InputError(
        "{}: not a safetensors file: it claims a header of {} bytes, at most {} are "
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
  // Empty tensors share their begin with the tensor behind them: they come first.
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
      throw InputError("{}: tensor '{}' begins at data byte {}, {} was expected: the tensors {}",
                       path().string(), entry.name, entry.begin, covered,
                       entry.begin < covered ? "overlap" : "leave a gap");
    covered = entry.end;
  }
  if (covered != data_bytes)
    throw InputError("{}: {}: the tensors have {} bytes, behind the header are {}", path().string(),
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
  const auto dtype = row_of(found.type).dtype;
  if (!dtype)
    throw InputError("{}: tensor '{}' has dtype {}, which cannot be read", path().string(), name,
                     name_of(found.type));
  Tensor tensor = Tensor::empty(stream, found.shape, *dtype, owner);
  read(name, {}, tensor);
  return tensor;
}

void SafetensorsFile::read(const std::string& name, const Slice& slice, const Tensor& out) const {
  const SafetensorsEntry& found = entry(name);
  const Shape part = slice.of(found.shape);
  LYNCEUS_CHECK(out.device().is_cpu() && out.shape() == part, "'{}': {} into {}", name,
                part.to_string(), out.shape().to_string());
  const auto dtype = row_of(found.type).dtype;
  if (!dtype || !convertible(*dtype, out.dtype()))
    throw InputError("{}: tensor '{}' has dtype {}, which cannot be read as {}", path().string(),
                     name, name_of(found.type), name_of(out.dtype()));
  const Runs runs = runs_of(found.shape, slice, size_of(found.type));
  if (runs.run == 0 || runs.outer == 0) return;
  const uint64_t begin = data_begin_ + found.begin + runs.first;
  char* target = static_cast<char*>(out.raw());
  const size_t element = size_of(found.type);
  const auto deliver = [&](const char* bytes, uint64_t count) {
    convert(bytes, *dtype, target, out.dtype(), count / element);
    target += count / element * size_of(out.dtype());
  };

  // Short runs cost more in system calls than in bytes: take whole rows and pick. A lone long run
  // goes through the buffer in pieces.
  constexpr uint64_t kShortRun = 4096;
  const bool pick = runs.run < kShortRun && runs.outer > 1 && runs.stride <= kBufferBytes;
  const uint64_t piece = pick ? 0 : std::min(runs.run, kBufferBytes / element * element);
  const uint64_t rows = pick ? std::min(runs.outer, kBufferBytes / runs.stride) : 0;
  std::vector<char> buffer(pick ? (rows - 1) * runs.stride + runs.run : piece);
  if (pick) {
    for (uint64_t row = 0; row < runs.outer; row += rows) {
      const uint64_t count = std::min(rows, runs.outer - row);
      file_.read_at(begin + row * runs.stride, buffer.data(), (count - 1) * runs.stride + runs.run);
      for (uint64_t i = 0; i < count; ++i) deliver(buffer.data() + i * runs.stride, runs.run);
    }
    return;
  }
  for (uint64_t row = 0; row < runs.outer; ++row) {
    for (uint64_t done = 0; done < runs.run; done += piece) {
      const uint64_t count = std::min(piece, runs.run - done);
      file_.read_at(begin + row * runs.stride + done, buffer.data(), count);
      deliver(buffer.data(), count);
    }
  }
}

}  // namespace lynceus::io
