// safetensors (Hugging Face): named tensors in one file. Layout: header length u64 LE, JSON header
//   {"NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__":
//   {..}}
// then the tensors' bytes, row-major and little-endian, offsets counted from the header's end.
//
// The reader believes nothing: header at most 100 MB and within the file before it is allocated;
// duplicate names and unknown dtypes refused; length = product(shape) * size without overflow; the
// ranges sorted are contiguous from zero and cover the file exactly. Slices are read straight from
// the file. Used by the weights and the reference cases; the writer by tests.
//
// Errors: InputError naming file, tensor, expected and found; IoError from the system.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
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
  /// In the order of their bytes.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool has(const std::string& name) const { return index_.contains(name); }
  /// InputError if there is none of that name.
  const SafetensorsEntry& entry(const std::string& name) const;

  /// A host tensor in its own type: F64 F32 F16 BF16 I64 I32 U8, others are an InputError.
  Tensor read(const Stream& stream, const std::string& name,
              MemoryOwner owner = MemoryOwner::kInput) const;
  /// A part of a tensor into `out`: host, slice.of(shape), any floating type from any other,
  /// integer types only as they are.
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

/// What a new file will hold. Names are written in the order given.
struct SafetensorsItem {
  std::string name;
  DType stored = DType::kF32;
  Shape shape;
};

/// Writes a file tensor by tensor, so that no more than one need be in memory. It appears under its
/// name only when close() has made it complete and durable.
class SafetensorsWriter {
 public:
  SafetensorsWriter(std::filesystem::path path, std::vector<SafetensorsItem> items,
                    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  /// The next item, a host tensor of its shape; converted to the stored type.
  void write(const Tensor& tensor);
  void close();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<SafetensorsItem> items_;
  size_t next_ = 0;
  bool closed_ = false;
  File file_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;  ///< host; stored in its own type
};
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace lynceus::io
