// Keeps incarnations.jsonl for this start of the run, on rank 0: closes the line of an earlier
// start that was killed, refuses to continue a crash loop, and writes the lines of this start.
#pragma once

#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/lease.h"
#include "train/incarnation/job_clock.h"
#include "train/incarnation/record.h"

namespace lynceus::train {

struct IncarnationStart {
  std::filesystem::path run_directory;
  io::LeaseOwner owner;                        ///< this process
  std::optional<io::LeaseOwner> former_owner;  ///< of the lease, before this process took it
  std::vector<std::string> nodes;              ///< by rank
  int64_t steps = 0;                           ///< train.steps
  std::string resume = "auto";                 ///< --resume
  bool restart_anyway = false;
  std::optional<JobEnd> job_end;
};

class IncarnationLog {
 public:
  /// Writes the line of the begin. Error (kCrashLoop) if the run is in a crash loop; then this
  /// start writes no line. IoError.
  explicit IncarnationLog(const IncarnationStart& start);
  IncarnationLog(const IncarnationLog&) = delete;
  IncarnationLog& operator=(const IncarnationLog&) = delete;

  /// The state of the run is there: it continues after `first_step`.
  void resumed(int64_t first_step, double start_seconds, double load_seconds);
  /// Fills in the time and the total, and writes the line; only the first call does. Never throws:
  /// the run ends anyway.
  void end(IncarnationEnd end);
  /// The same for a start that failed while it loaded.
  void failed_to_load(int64_t exit_code, const std::string& cause);

  const Incarnation& current() const { return current_; }
  const std::vector<Incarnation>& earlier() const { return earlier_; }
  double begin() const { return current_.begin; }

 private:
  std::filesystem::path run_directory_;
  std::optional<JobEnd> job_end_;
  std::vector<Incarnation> earlier_;
  Incarnation current_;
};

/// The exit code that the program ends with after `error`.
int64_t exit_code_of(const std::exception& error);

/// The step of the newest committed checkpoint of a run; 0: it has none.
int64_t newest_committed_step(const std::filesystem::path& run_directory);

}  // namespace lynceus::train
