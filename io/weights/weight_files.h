// Opens weights on disk by the names of their files.
#pragma once

#include <filesystem>

#include "io/weights/weights.h"

namespace lynceus::io {

/// A file of tensors (*.safetensors, *.bin, *.pt, *.pth), a *.index.json of several, a *.gen.json
/// rule, or a directory that contains one of the known names (kWeightNames in the source, the first
/// that is found). Paths in an index must stay below its directory. InputError otherwise.
WeightSourcePtr open_weights(const std::filesystem::path& path);

}  // namespace lynceus::io
