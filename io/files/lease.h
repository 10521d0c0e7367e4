// A lease on a directory: LEASE.json says which process may write there, of all that take a lease.
//
// A lease is dead if its owner ran in this boot of this host and that process is gone, or if its
// heartbeat does not change for a minute while a new process watches it. A later start of the same
// Slurm job takes over at once. Any other process is refused with the owner's name. A stale owner
// that resumes execution finds another token when it checks.
//
// The heartbeat is written into the owner's open file, never by name: after a successor has
// replaced the file, the old owner writes into a file without a name. Of several ranks, rank 0
// holds the lease.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "io/files/file.h"

namespace lynceus::io {

constexpr const char* kLeaseName = "LEASE.json";

/// The owner of a lease, as in LEASE.json.
struct LeaseOwner {
  std::string host;
  std::string boot_id;        ///< pids are unique only within a boot; two hosts may share a name
  std::string pid_namespace;  ///< pids are unique only within one
  int64_t pid = 0;
  uint64_t start_time = 0;    ///< of the process, clock ticks since boot: pids are reused
  std::string job;            ///< SLURM_JOB_ID, or empty
  int64_t restart_count = 0;  ///< SLURM_RESTART_COUNT
  int64_t start_count = 0;    ///< LYNCEUS_JOB_START: starts before, since the job was restarted
  std::string token;          ///< 32 hex digits
  std::string since;          ///< UTC, when it took the lease; empty if an older version did
  std::string heartbeat;      ///< UTC, "2024-05-01T12:00:00.000Z"; changes while the owner lives

  /// "process 17 on node3 (job 42, restart 1, since ..., last heartbeat ...)".
  std::string describe() const;
};

/// This process as an owner, with a fresh random token.
LeaseOwner this_process();

/// Who holds or held the lease of a directory; nullopt if nobody does. InputError for an invalid
/// LEASE.json.
std::optional<LeaseOwner> read_lease(const std::filesystem::path& directory);

/// Whether the process of the owner is alive, if this process can see that; nullopt: it ran on
/// another host, or in another boot or process namespace.
std::optional<bool> owner_is_alive(const LeaseOwner& owner);

/// Of a process that lost the lease of a directory: "another process took the lease", or that its
/// file is gone with all others.
std::string lease_loss(const std::filesystem::path& directory);

struct LeaseOptions {
  /// For the message to a process that is refused: what the directory is, and what else to do.
  std::string directory_is = "directory";
  std::string advice = "or choose another directory";
  bool take_over = false;  ///< even from a living owner
  std::chrono::milliseconds heartbeat{10'000};
  std::chrono::milliseconds dead_after{60'000};
  /// Called about once a second while a silent owner is watched.
  std::function<void(const LeaseOwner&, std::chrono::milliseconds remaining)> waiting;
  /// Called before and after the lease changes hands, with the new owner's token: takes away what a
  /// former owner that is still alive could put into place.
  std::function<void(const std::string& token)> disarm_former_owner;
};

class Lease {
 public:
  /// Creates the directory if it is missing. UsageError naming the owner if a living process holds
  /// the lease; InputError with what to do for an invalid LEASE.json; IoError.
  static std::unique_ptr<Lease> acquire(const std::filesystem::path& directory,
                                        const LeaseOptions& options = {});
  /// Calls release().
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  const std::string& token() const { return owner_.token; }
  const LeaseOwner& owner() const { return owner_; }
  /// Reads LEASE.json: whether this process still holds the lease.
  bool still_mine() const;
  /// IoError with lease_loss() unless this process still holds the lease.
  void confirm() const;
  /// Whether the heartbeat or still_mine() has found that this process lost the lease. Does not
  /// read the file.
  bool lost() const { return lost_; }
  /// Ends the heartbeat and removes LEASE.json if this process holds it. Never throws.
  void release();

 private:
  Lease(std::filesystem::path path, LeaseOwner owner, File file,
        std::chrono::milliseconds interval);
  void beat();

  std::filesystem::path path_;
  LeaseOwner owner_;
  File file_;
  std::chrono::milliseconds interval_;
  mutable std::atomic<bool> lost_ = false;
  bool stopping_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace lynceus::io
