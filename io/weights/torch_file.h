// A torch file (*.pt, *.pth, *.bin) as a weight source: the zip archive that torch.save has written
// since version 1.6. NAME/data.pkl says which tensors there are, NAME/data/KEY holds the bytes of a
// storage, which several tensors may share. No Python runs and nothing of the pickle is called
// (pickle.h); slices are read straight from the file.
//
// Of nested dicts the weights are found by one rule: a dict with nothing but tensors is taken; from
// any other the way leads into its one member among "model", "state_dict" and "module".
// describe() names the way that was gone.
//
// Tensors must be contiguous and lie inside their storage, storages inside their entry. Refused by
// name, with the way out: files of older torch (no zip), TorchScript, big-endian files, tensors
// with other strides. Errors: InputError naming file, entry or tensor.
#pragma once

#include <filesystem>
#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// Whether a file of that name is expected to be a torch file.
bool is_torch_name(const std::string& name);

WeightSourcePtr open_torch_file(const std::filesystem::path& path);

}  // namespace lynceus::io
