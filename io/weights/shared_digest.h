// One digest of many files, computed by all ranks together: it identifies the frozen weights that a
// checkpoint was trained with. Equal on every number of ranks.
#pragma once

#include <filesystem>
#include <span>

#include "io/files/digest.h"
#include "parallel/communicator.h"

namespace lynceus::io {

/// Collective. The 4-MiB blocks of all files in the order given, combined; block b is read and
/// hashed by rank b mod size. For one file the same as digest_file(). If reading fails on any rank,
/// every rank throws that error.
Digest128 digest_files(std::span<const std::filesystem::path> files, parallel::Communicator& world);

}  // namespace lynceus::io
