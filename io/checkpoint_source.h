// The values in a checkpoint as a source of weights: for a program that wants its tensors one by
// one on one rank, where load_checkpoint() fills a model on many. Every block that is read is held
// against its digest. Used by `export`.
#pragma once

#include <filesystem>

#include "io/manifest.h"
#include "io/weights.h"

namespace lynceus::io {

/// Its parameters under their own names ("NAME/value" is shown as "NAME"); moments are hidden.
/// InputError when the manifest or anything outside of the tensors is damaged, and, from read(),
/// when a tensor is. Not for two threads: the HDF5 library is behind it.
WeightSourcePtr open_checkpoint_values(const std::filesystem::path& checkpoint);

}  // namespace lynceus::io
