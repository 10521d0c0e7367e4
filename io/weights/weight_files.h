// Opens weights on disk by the names of their files.
#pragma once

#include <filesystem>

#include "io/weights/weights.h"

namespace lynceus::io {

/// `path`: a file of tensors (*.safetensors, *.bin, *.pt, *.pth), an index of several
/// (*.index.json), rules (*.gen.json), or a directory; there the first existing file of
/// kWeightNames (weight_files.cpp) is opened. Files in an index must be below its directory.
/// InputError otherwise.
WeightSourcePtr open_weights(const std::filesystem::path& path);

}  // namespace lynceus::io
