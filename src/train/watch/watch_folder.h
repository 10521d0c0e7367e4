// The folder RUN/watch/TOKEN, through which ranks that cannot communicate tell each other where
// they are. It exists only while a rank makes no progress, and after the watchdog has ended the
// job. Each call gives up after a time-out, because the file system itself may be what hangs.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lynceus::train {

class WatchFolder {
 public:
  /// `token`: of this start of the run, the same on all ranks.
  WatchFolder(const std::filesystem::path& run_directory, const std::string& token)
      : path_(run_directory / "watch" / token) {}

  // False: the file system refused, or did not answer in time.
  /// Replaces the state of a rank.
  bool write_state(int rank, const std::string& text) const;
  /// Removes the state of a rank and its claim.
  bool remove_state(int rank) const;
  /// By rank; nullopt where there is no complete state.
  std::optional<std::vector<std::string>> read_states(int ranks) const;

  /// Lets one rank report for all: true if no other rank has said so within the last kClaimSeconds.
  /// To be called again while the report is prepared.
  enum class Claim { kMine, kOther, kNoAnswer };
  Claim claim(int rank) const;
  static constexpr int kClaimSeconds = 20;

  /// Removes what earlier starts of the run have left, for the owner of the run's lease.
  void remove_others() const;
  /// Appends a line to the log of the run.
  static bool append_to_log(const std::filesystem::path& run_directory, const std::string& text);

 private:
  std::filesystem::path path_;
};

}  // namespace lynceus::train
