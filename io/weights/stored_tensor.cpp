// Element types, and reading slices with pread.
#include "io/weights/stored_tensor.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

/// Bytes that are read at once for conversion: they stay in a core's own cache until converted.
constexpr uint64_t kBufferBytes = 256ull << 10;

struct TypeRow {
  const char* name;
  size_t size;
  std::optional<DType> dtype;
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

/// A slice of a row-major tensor: `outer` runs of `run` bytes, `stride` bytes apart.
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
std::optional<DType> dtype_of(FileType type) { return row_of(type).dtype; }

std::optional<FileType> file_type(std::string_view name) {
  for (size_t i = 0; i < kTypes.size(); ++i)
    if (name == kTypes[i].name) return static_cast<FileType>(i);
  return std::nullopt;
}

std::optional<uint64_t> bytes_of(const Shape& shape, size_t element_size) {
  int64_t bytes = 1;
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (__builtin_mul_overflow(bytes, shape[axis], &bytes)) return std::nullopt;
  if (__builtin_mul_overflow(bytes, static_cast<int64_t>(element_size), &bytes))
    return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

void read_slice(const File& file, const StoredTensor& tensor, const Slice& slice,
                const Tensor& out) {
  const Shape part = slice.of(tensor.shape);
  LYNCEUS_CHECK(out.device().is_cpu() && out.shape() == part, "'{}': {} into {}", tensor.name,
                part.to_string(), out.shape().to_string());
  const auto dtype = dtype_of(tensor.type);
  if (!dtype || !convertible(*dtype, out.dtype()))
    throw InputError("{}: tensor '{}' has dtype {}, which cannot be read as {}",
                     file.path().string(), tensor.name, name_of(tensor.type), name_of(out.dtype()));
  const Runs runs = runs_of(tensor.shape, slice, size_of(tensor.type));
  if (runs.run == 0 || runs.outer == 0) return;
  const uint64_t begin = tensor.begin + runs.first;
  char* target = static_cast<char*>(out.raw());
  const size_t element = size_of(tensor.type);
  const auto deliver = [&](const char* bytes, uint64_t count) {
    convert(bytes, *dtype, target, out.dtype(), count / element);
    target += count / element * size_of(out.dtype());
  };

  // Short runs of short rows cost more in system calls than in bytes: read complete rows and pick
  // the runs. Longer runs are read through the buffer in pieces.
  constexpr uint64_t kShortRun = 4096;
  constexpr uint64_t kShortRow = 16384;
  const bool pick = runs.run < kShortRun && runs.outer > 1 && runs.stride <= kShortRow;
  if (!pick && *dtype == out.dtype()) {  // directly into `out`
    for (uint64_t row = 0; row < runs.outer; ++row)
      file.read_at(begin + row * runs.stride, target + row * runs.run, runs.run);
    return;
  }
  const uint64_t piece = pick ? 0 : std::min(runs.run, kBufferBytes / element * element);
  const uint64_t rows = pick ? std::min(runs.outer, kBufferBytes / runs.stride) : 0;
  std::vector<char> buffer(pick ? (rows - 1) * runs.stride + runs.run : piece);
  if (pick) {
    for (uint64_t row = 0; row < runs.outer; row += rows) {
      const uint64_t count = std::min(rows, runs.outer - row);
      file.read_at(begin + row * runs.stride, buffer.data(), (count - 1) * runs.stride + runs.run);
      for (uint64_t i = 0; i < count; ++i) deliver(buffer.data() + i * runs.stride, runs.run);
    }
    return;
  }
  for (uint64_t row = 0; row < runs.outer; ++row) {
    for (uint64_t done = 0; done < runs.run; done += piece) {
      const uint64_t count = std::min(piece, runs.run - done);
      file.read_at(begin + row * runs.stride + done, buffer.data(), count);
      deliver(buffer.data(), count);
    }
  }
}

}  // namespace lynceus::io
