#include "core/process/free_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "core/error.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;

std::optional<uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  uint64_t value = 0;
  if (!(in >> value)) return std::nullopt;  // "max": no limit
  return value;
}

std::optional<uint64_t> available_on_node(const fs::path& root) {
  std::ifstream in(root / "proc/meminfo");
  std::string key, unit;
  for (uint64_t value = 0; in >> key >> value; std::getline(in, unit))
    if (key == "MemAvailable:") return value << 10;
  return std::nullopt;
}

/// What the control group of the process and those above it have left (version 2).
std::optional<uint64_t> left_in_group(const fs::path& root) {
  std::ifstream in(root / "proc/self/cgroup");
  std::optional<uint64_t> least;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("0::/")) continue;
    const fs::path top = root / "sys/fs/cgroup";
    for (fs::path group = line.substr(4);; group = group.parent_path()) {
      const auto most = number_in(top / group / "memory.max");
      const auto used = number_in(top / group / "memory.current");
      if (most && used) {
        const uint64_t left = *most > *used ? *most - *used : 0;
        least = std::min(left, least.value_or(left));
      }
      if (group.empty()) break;
    }
  }
  return least;
}

}  // namespace

uint64_t free_memory_bytes(const fs::path& root) {
  const auto node = available_on_node(root);
  const auto group = left_in_group(root);
  if (!node) return group.value_or(0);
  return std::min(*node, group.value_or(*node));
}

void expect_open_files(uint64_t count) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  std::error_code unreadable;
  uint64_t open = 0;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", unreadable)) {
    static_cast<void>(entry);
    ++open;
  }
  if (unreadable == std::errc::too_many_files_open) open = limit.rlim_cur;
  if (open == 0 || open + count <= limit.rlim_cur) return;
  throw Error(
      ExitCode::kIo,
      fmt::format("this process has {} files open, its limit is {}, and {} more are needed: "
                  "raise the limit (ulimit -n)",
                  open, limit.rlim_cur, count));
}

}  // namespace lynceus
