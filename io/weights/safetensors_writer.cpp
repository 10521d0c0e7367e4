#include "io/weights/safetensors_writer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "io/files/json_value.h"
#include "io/weights/convert.h"

namespace lynceus::io {
namespace {

const char* format_name(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return "F64";
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBf16:
      return "BF16";
    case DType::kI64:
      return "I64";
    case DType::kI32:
      return "I32";
    case DType::kU8:
      return "U8";
  }
  return "?";
}

std::string header_of(const std::vector<SafetensorsItem>& items,
                      const std::map<std::string, std::string>& metadata) {
  JsonValue header = JsonValue::object();
  if (!metadata.empty()) header.set("__metadata__", metadata);
  uint64_t offset = 0;
  for (const SafetensorsItem& item : items) {
    LYNCEUS_CHECK(!header.contains(item.name), "tensor '{}' twice", item.name);
    const uint64_t bytes = static_cast<uint64_t>(item.shape.elements()) * size_of(item.stored);
    header.set(item.name,
               JsonValue::object({{"dtype", format_name(item.stored)},
                                  {"shape", item.shape.to_vector()},
                                  {"data_offsets", JsonValue::array({offset, offset + bytes})}}));
    offset += bytes;
  }
  std::string text = header.dump();
  // The data begins at a multiple of eight bytes, for readers that map the file.
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path path, std::vector<SafetensorsItem> items,
                                     const std::map<std::string, std::string>& metadata)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp"), items_(std::move(items)) {
  const std::string header = header_of(items_, metadata);
  const uint64_t size = header.size();
  file_ = File::create(temporary_);
  file_.append(&size, sizeof(size));
  file_.append(header.data(), header.size());
}

SafetensorsWriter::~SafetensorsWriter() {
  std::error_code ignored;
  if (!closed_) std::filesystem::remove(temporary_, ignored);
}

void SafetensorsWriter::write(const Tensor& tensor) {
  LYNCEUS_CHECK(next_ < items_.size(), "tensor {} of {}", next_, items_.size());
  const SafetensorsItem& item = items_[next_++];
  LYNCEUS_CHECK(tensor.device().is_cpu() && tensor.shape() == item.shape &&
                    convertible(tensor.dtype(), item.stored),
                "'{}': {} {} as {} {}", item.name, name_of(tensor.dtype()),
                tensor.shape().to_string(), name_of(item.stored), item.shape.to_string());
  if (tensor.dtype() == item.stored) {
    file_.append(tensor.raw(), tensor.bytes());
    return;
  }
  constexpr size_t kPiece = size_t{1} << 20;  // elements
  const size_t count = static_cast<size_t>(tensor.size());
  const char* source = static_cast<const char*>(tensor.raw());
  std::vector<char> buffer(std::min(kPiece, count) * size_of(item.stored));
  for (size_t done = 0; done < count; done += kPiece) {
    const size_t elements = std::min(kPiece, count - done);
    convert(source + done * size_of(tensor.dtype()), tensor.dtype(), buffer.data(), item.stored,
            elements);
    file_.append(buffer.data(), elements * size_of(item.stored));
  }
}

void SafetensorsWriter::close() {
  LYNCEUS_CHECK(next_ == items_.size(), "{} of {} tensors written", next_, items_.size());
  file_.sync();
  file_.close();
  rename_file(temporary_, path_);
  closed_ = true;
  sync_directory(path_.has_parent_path() ? path_.parent_path() : ".");
}

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<SafetensorsItem> items;
  for (const NamedTensor& named : tensors)
    items.push_back({named.name, named.tensor.dtype(), named.tensor.shape()});
  SafetensorsWriter writer(path, std::move(items), metadata);
  for (const NamedTensor& named : tensors) writer.write(named.tensor);
  writer.close();
}

}  // namespace lynceus::io
