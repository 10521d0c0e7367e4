// Writes many tensors as safetensors with one stem: STEM.safetensors, or, if they exceed the size
// of a file, STEM-00001-of-00003.safetensors and so on with STEM.safetensors.index.json, as Hugging
// Face does. Tensor by tensor, so that only one is in memory.
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
    WeightSourcePtr source;  ///< that it is read from

    uint64_t bytes(DType dtype) const;
  };
  std::string stem;         ///< "model"
  std::vector<Item> items;  ///< in file order
  std::string without;      ///< prefix that is removed from the written names
};

/// Bytes of its tensors as `dtype`.
uint64_t bytes_of(const TensorSet& set, DType dtype);
/// Writes the set; the index, if there is one, last. shard_bytes 0: one file. A larger
/// tensor gets a file of its own. `progress` counts MB. IoError from the file system; errors of the
/// source.
void write_tensor_set(const std::filesystem::path& directory, const TensorSet& set, DType dtype,
                      uint64_t shard_bytes, const std::map<std::string, std::string>& metadata,
                      Progress* progress);

}  // namespace lynceus::io
