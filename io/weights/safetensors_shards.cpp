#include "io/weights/safetensors_shards.h"

#include "core/error.h"
#include "io/files/json_value.h"
#include "io/weights/safetensors_writer.h"

namespace lynceus::io {
namespace {

using Items = std::vector<TensorSet::Item>;

std::vector<Items> deal(const TensorSet& set, DType dtype, uint64_t shard_bytes) {
  std::vector<Items> shards(1);
  uint64_t filled = 0;
  for (const TensorSet::Item& item : set.items) {
    const uint64_t bytes = item.bytes(dtype);
    if (shard_bytes != 0 && !shards.back().empty() && filled + bytes > shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(item);
    filled += bytes;
  }
  return shards;
}

}  // namespace

uint64_t TensorSet::Item::bytes(DType dtype) const {
  return static_cast<uint64_t>(source->shape(name).elements()) * size_of(dtype);
}

uint64_t bytes_of(const TensorSet& set, DType dtype) {
  uint64_t bytes = 0;
  for (const TensorSet::Item& item : set.items) bytes += item.bytes(dtype);
  return bytes;
}

void write_tensor_set(const std::filesystem::path& directory, const TensorSet& set, DType dtype,
                      uint64_t shard_bytes, const std::map<std::string, std::string>& metadata,
                      ByteProgress* progress) {
  const auto shown = [&](const std::string& name) {
    LYNCEUS_CHECK(name.starts_with(set.without), "'{}' without '{}'", name, set.without);
    return name.substr(set.without.size());
  };
  const std::vector<Items> shards = deal(set, dtype, shard_bytes);
  JsonValue places = JsonValue::object();
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    const std::string file = shards.size() == 1 ? set.stem + ".safetensors"
                                                : fmt::format("{}-{:05}-of-{:05}.safetensors",
                                                              set.stem, shard + 1, shards.size());
    std::vector<SafetensorsItem> header;
    for (const TensorSet::Item& item : shards[shard]) {
      header.push_back({shown(item.name), dtype, item.source->shape(item.name)});
      places.set(shown(item.name), file);
    }
    SafetensorsWriter writer(directory / file, std::move(header), metadata);
    for (const TensorSet::Item& item : shards[shard]) {
      writer.write(item.source->read_whole(Stream{}, item.name));
      progress->advance(item.bytes(dtype));
    }
    writer.close();
  }
  if (shards.size() == 1) return;
  const JsonValue index =
      JsonValue::object({{"metadata", JsonValue::object({{"total_size", bytes_of(set, dtype)}})},
                         {"weight_map", places}});
  atomic_write_text(directory / (set.stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

}  // namespace lynceus::io
