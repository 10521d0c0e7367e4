// Shared by all formats of weight files: the element types on disk, slices of tensors, and reading
// a slice directly from the file, so that a rank reads only its own slices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/tensor.h"
#include "io/files/file.h"

namespace lynceus::io {

/// A slice of a named tensor: `count` indices of one axis from `begin`. axis -1: the complete
/// tensor.
struct Slice {
  int axis = -1;
  int64_t begin = 0;
  int64_t count = 0;

  /// The shape of this slice of `whole`; InternalError if it exceeds `whole`.
  Shape of(const Shape& whole) const;
};

/// Element types on disk; dtype_of() lists those that can be read.
enum class FileType : uint8_t {
  kF64,
  kF32,
  kF16,
  kBf16,
  kF8E4M3,
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU64,
  kU32,
  kU16,
  kU8,
  kBool
};
const char* name_of(FileType type);                        ///< "F32", as in a header of safetensors
size_t size_of(FileType type);                             ///< bytes per element
std::optional<DType> dtype_of(FileType type);              ///< nullopt: known, but not readable
std::optional<FileType> file_type(std::string_view name);  ///< inverse of name_of

/// Bytes of a tensor; nullopt if the product overflows.
std::optional<uint64_t> bytes_of(const Shape& shape, size_t element_size);

/// A row-major tensor in a file.
struct StoredTensor {
  std::string name;  ///< for messages
  FileType type = FileType::kF32;
  Shape shape;
  uint64_t begin = 0;  ///< byte offset in the file
};

/// Reads a slice of it into `out`, [slice.of(shape)] on the host. Any floating type is converted to
/// any other; integer types must be equal. InputError if it cannot be read. Thread-safe.
void read_slice(const File& file, const StoredTensor& tensor, const Slice& slice,
                const Tensor& out);

}  // namespace lynceus::io
