// Writes safetensors files.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "io/files/file.h"

namespace lynceus::io {

/// A tensor of a new file. The header lists them in the order given.
struct SafetensorsItem {
  std::string name;
  DType stored = DType::kF32;
  Shape shape;
};

/// Writes a file tensor by tensor, so that one at a time is in memory. close() gives the file its
/// final name after it is complete and durable.
class SafetensorsWriter {
 public:
  SafetensorsWriter(std::filesystem::path path, std::vector<SafetensorsItem> items,
                    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
  ~SafetensorsWriter();
  SafetensorsWriter(const SafetensorsWriter&) = delete;
  SafetensorsWriter& operator=(const SafetensorsWriter&) = delete;

  /// Writes the next item. `tensor` is on the host and has its shape; it is converted to the stored
  /// type.
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
  Tensor tensor;  ///< on the host; stored in its own type
};
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace lynceus::io
