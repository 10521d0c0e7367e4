// Reads safetensors files (Hugging Face): named tensors in one file.
//
//   u64, little-endian                        length of the header
//   {"NAME": {"dtype": "F32",                 the header, JSON
//             "shape": [..],
//             "data_offsets": [begin, end]},  bytes, counted from the header's end
//    ..,
//    "__metadata__": {..}}
//   tensors                                   row-major, little-endian
//
// The reader checks everything: the header has at most 100 MB and is inside the file (checked
// before memory is allocated); names are unique and dtypes known; length = product(shape) * size
// without overflow; the sorted ranges are contiguous from zero and cover the file exactly. Slices
// are read directly from the file.
//
// Errors: InputError naming file, tensor, expected and found; IoError from the system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"
#include "io/files/file.h"
#include "io/weights/stored_tensor.h"

namespace lynceus::io {

struct SafetensorsEntry {
  std::string name;
  FileType type = FileType::kF32;
  Shape shape;
  uint64_t begin = 0;  ///< bytes from the start of the data
  uint64_t end = 0;
};

/// An open file. Const members are thread-safe.
class SafetensorsFile {
 public:
  /// Reads and checks the header.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  /// In file order.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool has(const std::string& name) const { return index_.contains(name); }
  /// InputError if there is no such tensor.
  const SafetensorsEntry& entry(const std::string& name) const;

  /// A host tensor of the stored type. InputError for types other than F64 F32 F16 BF16 I64 I32 U8.
  Tensor read(const Stream& stream, const std::string& name,
              MemoryOwner owner = MemoryOwner::kInput) const;
  /// Reads a slice of a tensor into `out`, [slice.of(shape)] on the host. Floating types are
  /// converted to the type of `out`; integer types must be equal.
  void read(const std::string& name, const Slice& slice, const Tensor& out) const;

 private:
  void parse_header(std::string_view text, uint64_t data_bytes);
  void check_ranges(uint64_t data_bytes) const;

  File file_;
  uint64_t data_begin_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, size_t> index_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace lynceus::io
