// The memory that the ranks of a node may use, against what the model needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "doctor/check_result.h"
#include "doctor/facts.h"

namespace lynceus::doctor {

/// The smallest limit of the control groups of this process, bytes; nullopt: none limits memory.
/// `root`: of cgroup v2 or v1; `membership`: as /proc/self/cgroup.
std::optional<int64_t> cgroup_limit(const std::filesystem::path& root = "/sys/fs/cgroup",
                                    const std::filesystem::path& membership = "/proc/self/cgroup");

/// This rank's limits: of the machine, the control group, Slurm and the process.
void collect_memory(Facts* facts);

/// `needed`: bytes of each rank at least; 0: not known, then only the limits are reported.
CheckResults check_memory(const std::vector<Facts>& ranks, const std::vector<int64_t>& needed);

}  // namespace lynceus::doctor
