// Writes a set of tensors as STEM.safetensors, or, if they exceed the maximum size of a file, as
// STEM-00001-of-00003.safetensors and so on with STEM.safetensors.index.json, as Hugging Face does.
// Only one tensor is in memory at a time.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/progress.h"
#include "io/weights/weights.h"

namespace lynceus::io {

/// The tensors of one stem.
struct TensorSet {
  struct Item {
    std::string name;
    WeightSourcePtr source;  ///< to read it from

    uint64_t bytes(DType dtype) const;
  };
  std::string stem;         ///< "model"
  std::vector<Item> items;  ///< in file order
  std::string without;      ///< prefix that is removed from the written names
};

/// Bytes of all its tensors as `dtype`.
uint64_t bytes_of(const TensorSet& set, DType dtype);
/// Writes the set, and the index last. A file has at most shard_bytes of tensors, or one larger
/// tensor; 0: one file. IoError from the file system; errors of the source.
void write_tensor_set(const std::filesystem::path& directory, const TensorSet& set, DType dtype,
                      uint64_t shard_bytes, const std::map<std::string, std::string>& metadata,
                      ByteProgress* progress);

}  // namespace lynceus::io
