// Whether a folder can hold the checkpoints of a run: the calls of a commit one by one, then a
// small checkpoint that all ranks write and read back, as a run does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "doctor/check_result.h"
#include "parallel/communicator.h"

namespace lynceus::doctor {

struct StorageNeeds {
  int64_t checkpoint_bytes = 0;  ///< 0: not known
  int64_t kept = 2;              ///< checkpoints that stay; one more while a new one is written
  double every_minutes = 0;      ///< between saves; 0: not by time
};

/// Of a file system, as this user may use it.
struct StorageSpace {
  int64_t free_bytes = 0;
  std::optional<int64_t> free_inodes;  ///< nullopt: the file system does not count them
  std::optional<int64_t> file_limit;   ///< the largest file of this process (ulimit -f)
};
StorageSpace read_space(const std::filesystem::path& folder);
CheckResult check_space(const StorageSpace& space, const StorageNeeds& needs);
CheckResult check_inodes(const StorageSpace& space, const StorageNeeds& needs);
/// `bytes` were written in `seconds`, fsync included.
CheckResult check_write_rate(int64_t bytes, double seconds, const StorageNeeds& needs);

struct StorageOptions {
  bool quick = false;
  std::function<void(const std::string&)> progress;
};

/// Collective. `directory`: of the run; if it is missing, the nearest folder above it is checked.
/// Works in a folder of its own, .doctor-..., which it removes.
CheckResults check_storage(parallel::Communicator& world, const std::filesystem::path& directory,
                           const StorageNeeds& needs, const StorageOptions& options);

}  // namespace lynceus::doctor
