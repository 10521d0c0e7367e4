// A torch file (*.pt, *.pth, *.bin) as a weight source: the zip archive that torch.save has written
// since version 1.6. NAME/data.pkl lists the tensors, NAME/data/KEY has the bytes of a storage,
// which several tensors may share. No Python runs and nothing in the pickle is called (pickle.h);
// slices are read directly from the file.
//
// In nested dicts the weights are found by one rule: a dict that has only tensors is taken;
// otherwise the search continues in its one member among "model", "state_dict" and "module".
// describe() names the members that were followed.
//
// Tensors must be contiguous and inside their storage, storages inside their entry. Refused with an
// explanation and a solution: files of older torch (no zip), TorchScript, big-endian files, tensors
// with other strides. Errors: InputError naming file, entry or tensor.
#pragma once

#include <filesystem>
#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// Whether the name is that of a torch file.
bool is_torch_name(const std::string& name);

WeightSourcePtr open_torch_file(const std::filesystem::path& path);

}  // namespace lynceus::io
