// The run's lease: LEASE.json in the run directory says which process may commit checkpoints there.
//
// A lease is dead when its owner ran in this boot of this host and that process is gone, or when
// its heartbeat has not moved for a minute (the newcomer watches and counts down). The same Slurm
// job with a higher restart count takes over at once. Any other newcomer refuses and names the
// owner. Taking over first renames the owner's staging directories away, so that a stale owner that
// wakes up has nothing left to rename into place, and finds another token when it looks.
//
// The heartbeat is written into the owner's own open file, never by name: once a successor has put
// its file there, the old owner writes into a file that nobody can see. Held by rank 0 alone.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "io/files/file.h"

namespace lynceus::io {

constexpr const char* kLeaseName = "LEASE.json";

/// Who holds a lease, as LEASE.json says.
struct LeaseOwner {
  std::string host;
  std::string boot_id;        ///< process ids compare only within one; two hosts may share a name
  std::string pid_namespace;  ///< process ids compare only within one
  int64_t pid = 0;
  uint64_t start_time = 0;    ///< of the process, clock ticks since boot: pids come again
  std::string job;            ///< SLURM_JOB_ID, or empty
  int64_t restart_count = 0;  ///< SLURM_RESTART_COUNT
  std::string token;          ///< 32 hex digits
  std::string heartbeat;  ///< UTC, "2024-05-01T12:00:00.000Z"; changes as long as the owner lives

  /// "process 17 on node3 (job 42, restart 1, last heartbeat ...)".
  std::string describe() const;
};

/// This process as an owner, with a fresh random token.
LeaseOwner this_process();

struct LeaseOptions {
  bool take_over = false;  ///< take it from a living owner too
  std::chrono::milliseconds heartbeat{10'000};
  std::chrono::milliseconds dead_after{60'000};
  /// Called about once a second while a silent owner is watched.
  std::function<void(const LeaseOwner&, std::chrono::milliseconds remaining)> waiting;
};

class Lease {
 public:
  /// Makes run_directory if it is not there. UsageError naming the owner when a living process
  /// holds the lease; InputError for a LEASE.json that says nothing; IoError.
  static std::unique_ptr<Lease> acquire(const std::filesystem::path& run_directory,
                                        const LeaseOptions& options = {});
  /// Releases.
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  const std::string& token() const { return owner_.token; }
  const LeaseOwner& owner() const { return owner_; }
  /// Reads LEASE.json: is it still ours?
  bool still_mine() const;
  /// Whether the heartbeat or still_mine() has seen another's; costs nothing.
  bool lost() const { return lost_; }
  /// Ends the heartbeat and removes LEASE.json if it is ours. Never throws.
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

/// Renames the staging directories of everyone but `token` away, then those that were renamed away
/// earlier are deleted when `remove` says so. Part of taking over, and of starting.
void sweep_staging(const std::filesystem::path& checkpoints, const std::string& token, bool remove);

}  // namespace lynceus::io
