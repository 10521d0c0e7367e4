// A small checkpoint that all ranks write through parallel HDF5, commit and read back, with the
// code of a run (io/checkpoint/writer.h, reader.h).
#pragma once

#include <filesystem>

#include "doctor/storage.h"

namespace lynceus::doctor {

/// Collective. Writes into `folder`, which exists.
CheckResults try_checkpoint(parallel::Communicator& world, const std::filesystem::path& folder,
                            bool quick, const StorageNeeds& needs);

}  // namespace lynceus::doctor
