// DIR/NAME.unfinished: how far `lynceus prepare` has come with one dataset, so that a killed run
// can continue after its last complete shard. One line of JSON per shard, synced to disk before the
// next shard begins. When the command is done, DIR/NAME.finished takes its place: the same for a
// complete dataset, kept so that the command can be repeated.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/error.h"
#include "io/dataset/shard_series.h"
#include "io/files/file.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

/// The state of a run when a shard was complete.
struct PrepareState {
  io::ShardSeriesState series;
  int64_t rows = 0;                         ///< read, with all their samples in shards
  int64_t row_samples = 0;                  ///< samples of the next row that are in a shard
  std::map<std::string, int64_t> rejected;  ///< number of rows by kind
  LeftOut left_out;                         ///< of those rows
  uint64_t rejects_bytes = 0;               ///< size of the list of rejected rows
  bool is_done = false;                     ///< the dataset is complete
  SourceAccount account;                    ///< of a complete dataset
  uint64_t journal_bytes = 0;               ///< end of the journal line with this state
};

/// Why a dataset that was complete is not any more: kUsage for a shard that is missing or another
/// one, kInput for a damaged one. No text: it is complete.
struct DatasetFault {
  ExitCode code = ExitCode::kDone;
  std::string text;
};

/// A complete dataset.
struct FinishedDataset {
  std::string command;
  PrepareState state;
  DatasetFault fault = {};
};

/// A command as people read it: with the time of the input's last change as a date.
std::string readable_command(const std::string& command);

class PrepareJournal {
 public:
  static std::filesystem::path path_of(const std::filesystem::path& directory,
                                       const std::string& name);
  /// The state that an earlier run of the same command left, up to the first shard that is missing,
  /// was replaced or is damaged outside its media. nullopt if there is no journal. UsageError if
  /// the journal is of another command; `command` is one text with everything that determines the
  /// shards.
  static std::optional<PrepareState> find(const std::filesystem::path& directory,
                                          const std::string& name, const std::string& command);

  /// What DIR/NAME.finished says; nullopt if there is none, or if a shard that it records is
  /// missing, was replaced or is damaged outside its media: then `fault`, if given, says so.
  static std::optional<FinishedDataset> find_finished(const std::filesystem::path& directory,
                                                      const std::string& name,
                                                      DatasetFault* fault = nullptr);
  /// Writes DIR/NAME.finished, durably.
  static void write_finished(const std::filesystem::path& directory, const std::string& name,
                             const FinishedDataset& dataset);
  static void remove_finished(const std::filesystem::path& directory, const std::string& name);

  /// Continues after `state` from find(). A state without journal_bytes starts a new journal.
  PrepareJournal(const std::filesystem::path& directory, const std::string& name,
                 const std::string& command, const PrepareState& state);
  /// Records `state` with the shards that are new since the last call.
  void append(const PrepareState& state);
  /// Puts DIR/NAME.finished in its place.
  void finish(const FinishedDataset& dataset);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path directory_;
  std::string name_;
  std::filesystem::path path_;
  io::File file_;
  size_t shards_;  // recorded so far
};

}  // namespace lynceus::prepare
