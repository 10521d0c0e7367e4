// The values in a checkpoint as a weight source, for one rank that reads tensors one by one
// (instead of load_checkpoint(), which fills a model on many ranks). The digest of every block that
// is read is checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "io/checkpoint/manifest.h"
#include "io/weights/weights.h"

namespace lynceus::io {

/// The parameters under their own names ("NAME/value" becomes "NAME"); moments are hidden.
/// InputError if the manifest or the frame is damaged, and, from read(), if a tensor is. Reads are
/// serialized; no other code may use the HDF5 library meanwhile.
WeightSourcePtr open_checkpoint_values(const std::filesystem::path& checkpoint);

/// Checks the digest of every block of every tensor, including moments. `on_bytes` gets the number
/// of bytes checked since its last call. InputError naming the first damaged block.
void check_checkpoint(const std::filesystem::path& checkpoint,
                      const std::function<void(uint64_t bytes)>& on_bytes);

}  // namespace lynceus::io
