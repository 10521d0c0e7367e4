// One digest of many files, computed by all ranks together: it identifies the frozen weights that a
// checkpoint was trained with. It does not depend on the number of ranks.
#pragma once

#include <filesystem>
#include <span>

#include "io/files/digest.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// Collective. Combines the digests of the 4-MiB blocks of all files, in the given order; rank b
/// mod size reads and hashes block b. For one file it equals digest_file(). If reading fails on any
/// rank, every rank throws that error.
Digest128 digest_files(std::span<const std::filesystem::path> files, parallel::Communicator& world);

}  // namespace lynceus::io
