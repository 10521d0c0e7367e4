#include "doctor/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "core/text/units.h"

namespace lynceus::doctor {
namespace {

constexpr int64_t kKiB = 1024, kMiB = 1024 * kKiB, kGiB = 1024 * kMiB;

// Open MPI and NCCL lock their buffers: without a card that reads memory itself a little is enough.
constexpr int64_t kLockedMemory = kMiB, kLockedMemoryOfACard = 16 * kGiB;
// MPI opens a socket for each rank that it talks to; HDF5, libraries and dataset shards need more.
constexpr int64_t kOpenFiles = 256, kOpenFilesPerRank = 2;
// Libraries and thread stacks reserve addresses that they never use.
constexpr int64_t kAddressSpace = 4 * kGiB;
constexpr int64_t kStack = kMiB;
constexpr int64_t kSpareProcesses = 100;
// Open MPI takes 4 MiB for each rank of a node at its start, NCCL up to 32 MiB.
constexpr int64_t kSharedMemoryPerRank = 32 * kMiB, kFreeSharedMemoryPerRank = 4 * kMiB;

std::optional<int64_t> soft_limit(int resource) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY)
    return std::nullopt;
  return static_cast<int64_t>(limit.rlim_cur);
}

std::string size_text(const std::optional<int64_t>& bytes) {
  return bytes ? bytes_text(static_cast<uint64_t>(*bytes)) : "unlimited";
}
std::string count_of(const std::optional<int64_t>& count) {
  return count ? std::to_string(*count) : "unlimited";
}

/// A warning where `limit` is below `least`.
Verdict below(const std::optional<int64_t>& limit, int64_t least) {
  return limit && *limit < least ? Verdict::kWarning : Verdict::kOk;
}

}  // namespace

ProcessLimits read_limits() {
  return {soft_limit(RLIMIT_MEMLOCK), soft_limit(RLIMIT_NOFILE), soft_limit(RLIMIT_AS),
          soft_limit(RLIMIT_STACK),   soft_limit(RLIMIT_NPROC),  geteuid() == 0};
}

std::optional<SharedMemory> read_shared_memory(const char* folder) {
  struct statvfs info {};
  if (statvfs(folder, &info) != 0) return std::nullopt;
  const auto block = static_cast<int64_t>(info.f_frsize);
  return SharedMemory{static_cast<int64_t>(info.f_blocks) * block,
                      static_cast<int64_t>(info.f_bavail) * block};
}

bool has_fast_network() {
  std::error_code ignored;
  const std::filesystem::directory_iterator cards("/sys/class/infiniband", ignored);
  return !ignored && cards != std::filesystem::directory_iterator();
}

CheckResults check_limits(const ProcessLimits& limits, const LimitNeeds& needs) {
  CheckResults findings;
  const int64_t locked = needs.has_fast_network ? kLockedMemoryOfACard : kLockedMemory;
  Verdict verdict = below(limits.locked_memory, locked);
  if (verdict != Verdict::kOk && needs.has_fast_network) verdict = Verdict::kCritical;
  findings.push_back(judged(
      "limits.locked-memory", verdict, size_text(limits.locked_memory),
      needs.has_fast_network ? "unlimited, for the network cards" : "at least " + size_text(locked),
      "ulimit -l unlimited where the job starts; if that is refused, the "
      "site must raise memlock in /etc/security/limits.conf and of slurmd "
      "(LimitMEMLOCK)"));
  const int64_t files = kOpenFiles + kOpenFilesPerRank * needs.world;
  findings.push_back(judged(
      "limits.open-files", below(limits.open_files, files), count_of(limits.open_files),
      fmt::format("at least {}", files),
      fmt::format("ulimit -n {} where the job starts; srun passes it on with --propagate=NOFILE",
                  std::max<int64_t>(4096, files))));
  findings.push_back(judged("limits.address-space", below(limits.address_space, kAddressSpace),
                            size_text(limits.address_space), "at least " + size_text(kAddressSpace),
                            "ulimit -v unlimited where the job starts"));
  findings.push_back(judged("limits.stack", below(limits.stack, kStack), size_text(limits.stack),
                            "at least " + size_text(kStack),
                            "ulimit -s 8192 where the job starts"));
  const int64_t processes = int64_t{needs.ranks_on_node} * needs.threads + kSpareProcesses;
  findings.push_back(judged(
      "limits.processes", limits.is_root ? Verdict::kOk : below(limits.processes, processes),
      count_of(limits.processes), fmt::format("at least {}", processes),
      fmt::format("ulimit -u {} where the job starts; threads count as processes", 4 * processes)));
  return findings;
}

CheckResult check_shared_memory(const std::optional<SharedMemory>& memory,
                                const LimitNeeds& needs) {
  constexpr const char* kCheck = "limits.shared-memory";
  constexpr const char* kRemedy =
      "mount a larger /dev/shm: mount -o remount,size=8G /dev/shm; docker run --shm-size=8g; or "
      "remove files that other programs left there";
  const int64_t total = kSharedMemoryPerRank * needs.ranks_on_node;
  const int64_t free = kFreeSharedMemoryPerRank * needs.ranks_on_node;
  const std::string expected = fmt::format("{}, {} of it free", size_text(total), size_text(free));
  if (!memory) return judged(kCheck, Verdict::kCritical, "no /dev/shm", expected, kRemedy);
  Verdict verdict = Verdict::kOk;
  if (memory->total < total) verdict = Verdict::kWarning;
  if (memory->free < free) verdict = Verdict::kCritical;
  return judged(kCheck, verdict,
                verdict == Verdict::kOk
                    ? fmt::format("{} in /dev/shm", size_text(memory->total))
                    : fmt::format("{} in /dev/shm, {} of it free", size_text(memory->total),
                                  size_text(memory->free)),
                expected, kRemedy);
}

}  // namespace lynceus::doctor
