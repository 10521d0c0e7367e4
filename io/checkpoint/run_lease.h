// The lease of a run: which process may commit checkpoints in a run directory. A takeover renames
// the staging directories of the former owner, so that a stale owner that resumes execution has no
// staged files to rename into place.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "io/files/lease.h"

namespace lynceus::io {

/// Lease::acquire() for a run directory.
std::unique_ptr<Lease> acquire_run_lease(const std::filesystem::path& run_directory,
                                         LeaseOptions options = {});

/// Renames the staging directories of all owners except `token` to .abandoned-...; with `remove`,
/// then deletes all leftovers (.abandoned-..., .removing-...). Part of a takeover and of every
/// start.
void sweep_staging(const std::filesystem::path& checkpoints, const std::string& token, bool remove);

}  // namespace lynceus::io
