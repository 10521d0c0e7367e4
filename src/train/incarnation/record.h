// RUN/incarnations.jsonl: the starts of a run. An incarnation is one start of a run, from its
// launch to its end. Rank 0 appends a line when it begins, one when its state is there, and one
// when it ends; each line is flushed to the disk. The line of the end of an incarnation that was
// killed is written by the next one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/json_value.h"
#include "io/files/lease.h"

namespace lynceus::train {

constexpr const char* kIncarnationsName = "incarnations.jsonl";

/// Where the time of an incarnation went, in seconds. The first rank's.
struct TimeAccount {
  double total = 0;  ///< from the begin of the process
  double start = 0;  ///< until the run directory was opened: launcher, MPI
  double load = 0;   ///< weights, data, checkpoint, trial save
  double step = 0;   ///< useful: steps that a checkpoint has, or that later steps build on
  double save = 0;
  double lost = 0;  ///< steps after the last checkpoint or rolled back, which must be repeated
  double validation = 0;
  double waiting = 0;  ///< for data

  /// total without the parts above.
  double other() const;
  /// step / total; 0 without any time.
  double goodput() const;
  TimeAccount& operator+=(const TimeAccount& account);
};

/// A rank that ended the run.
struct RankFailure {
  int64_t rank = -1;  ///< -1: not known, or the node as a whole
  std::string node;
  std::string cause;
};

struct IncarnationEnd {
  double end = 0;              ///< seconds since 1970; of a killed one, when it was last seen
  bool killed = false;         ///< it wrote no end; the next start did
  int64_t exit_code = -1;      ///< -1: not known
  std::string cause;           ///< one sentence
  bool by_request = false;     ///< somebody asked it to stop, not the end of its job
  int64_t last_step = 0;       ///< that it completed
  int64_t committed_step = 0;  ///< of the newest checkpoint
  double largest_step = 0, largest_save = 0;  ///< seconds, 0: none
  TimeAccount seconds;
  std::vector<RankFailure> failures;
};

struct Incarnation {
  double begin = 0;   ///< seconds since 1970
  std::string token;  ///< of its lease
  std::vector<std::string> nodes;
  int64_t ranks = 0;
  int64_t steps = 0;           ///< train.steps
  std::string job;             ///< SLURM_JOB_ID, or empty
  int64_t restart_count = 0;   ///< SLURM_RESTART_COUNT
  double job_end = 0;          ///< when its job ends, seconds since 1970; 0: not known
  int64_t committed_step = 0;  ///< of the newest checkpoint when it began; 0: none
  bool restart_anyway = false;
  std::optional<int64_t> first_step;           ///< that it continued from; nullopt: it ended before
  double start_seconds = 0, load_seconds = 0;  ///< until it continued
  std::optional<IncarnationEnd> ended;

  /// Whether it left a newer checkpoint than it began with.
  bool made_progress() const;
};

/// In order. Lines that are incomplete are left out; no file: empty.
std::vector<Incarnation> read_incarnations(const std::filesystem::path& run_directory);

/// What the earlier starts of a job have left in the record.
struct EarlierStarts {
  bool began = false;      ///< one has begun
  bool continued = false;  ///< one had its state, and so has followed --resume and --init
};
/// Of the job of `owner`, if this is not its first start by SLURM_RESTART_COUNT and
/// LYNCEUS_JOB_START: a number of a job alone may be that of another cluster.
EarlierStarts earlier_starts_of_job(const std::vector<Incarnation>& incarnations,
                                    const io::LeaseOwner& owner);

/// Append one line and flush it to the disk. IoError.
void append_begin(const std::filesystem::path& run_directory, const Incarnation& incarnation);
void append_resumed(const std::filesystem::path& run_directory, const Incarnation& incarnation);
void append_end(const std::filesystem::path& run_directory, const std::string& token,
                const IncarnationEnd& end);

/// {"total": ..., "start": ...}, rounded to milliseconds.
io::JsonValue to_json(const TimeAccount& seconds);

}  // namespace lynceus::train
