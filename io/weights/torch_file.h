// A torch file (*.pt, *.pth, *.bin) as a weight source: the zip archive that torch.save has written
// since version 1.6. NAME/data.pkl lists the tensors, NAME/data/KEY has the bytes of a storage,
// which several tensors may share. No Python runs and nothing in the pickle is executed (pickle.h);
// slices are read directly from the file.
//
// The weights are the first dict that contains only tensors. If a dict contains anything else, the
// search continues in its only dict named "model", "state_dict" or "module". describe() lists the
// names that were followed.
//
// Tensors must be contiguous and inside their storage, and a storage must fill its entry. Files of
// older torch (no zip), TorchScript, big-endian files and tensors with other strides are refused
// with an explanation. Errors: InputError naming file, entry or tensor.
#pragma once

#include <filesystem>
#include <string>

#include "io/weights/weights.h"

namespace lynceus::io {

/// Whether the file name has an extension of torch files.
bool is_torch_name(const std::string& name);

WeightSourcePtr open_torch_file(const std::filesystem::path& path);

}  // namespace lynceus::io
