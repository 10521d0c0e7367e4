// Many tensors to safetensors under one stem: STEM.safetensors, or, where they are more than a
// shard may have, STEM-00001-of-00003.safetensors and so on with STEM.safetensors.index.json, as
// Hugging Face lays them out. Tensor by tensor, so that no more than one is in memory. Used by
// `export`.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/progress.h"
#include "io/weights/weights.h"

namespace lynceus::io {

/// What goes under one stem.
struct TensorSet {
  struct Item {
    std::string name;
    WeightSourcePtr source;  ///< that has it

    uint64_t bytes(DType dtype) const;
  };
  std::string stem;         ///< "model"
  std::vector<Item> items;  ///< in the order of the file
  std::string without;      ///< prefix that is left out of the written names
};

/// Bytes of its tensors as `dtype`.
uint64_t bytes_of(const TensorSet& set, DType dtype);
/// Writes the set; the index, if there is one, last. shard_bytes 0: one file. A tensor larger than
/// that is a shard of its own. `progress` counts MB. IoError from the disk, errors of the source.
void write_tensor_set(const std::filesystem::path& directory, const TensorSet& set, DType dtype,
                      uint64_t shard_bytes, const std::map<std::string, std::string>& metadata,
                      Progress* progress);

}  // namespace lynceus::io
