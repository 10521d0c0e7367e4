// The values in a checkpoint as a source of weights: for a program that wants its tensors one by
// one on one rank, where load_checkpoint() fills a model on many. Every block that is read is held
// against its digest. Used by `export`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "io/checkpoint/manifest.h"
#include "io/weights/weights.h"

namespace lynceus::io {

/// Its parameters under their own names ("NAME/value" is shown as "NAME"); moments are hidden.
/// InputError when the manifest or anything outside of the tensors is damaged, and, from read(),
/// when a tensor is. Its reads take turns; nothing else may use the HDF5 library meanwhile.
WeightSourcePtr open_checkpoint_values(const std::filesystem::path& checkpoint);

/// Holds every block of every tensor, moments too, against its digest; `on_bytes` hears how many
/// bytes were good since it was called last. InputError naming the first that is not.
void check_checkpoint(const std::filesystem::path& checkpoint,
                      const std::function<void(uint64_t bytes)>& on_bytes);

}  // namespace lynceus::io
