// How far `lynceus prepare` has come with one dataset, so that a run that was killed goes on behind
// the last complete shard: DIR/NAME.unfinished, a line of JSON a shard, each made durable before
// the next begins, and gone when all is done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "io/dataset/shard_series.h"
#include "io/files/file.h"

namespace lynceus::prepare {

/// Where a run stood when a shard was complete.
struct PrepareState {
  io::ShardSeriesState series;
  int64_t rows = 0;                         ///< read, all of whose samples are in shards
  int64_t row_samples = 0;                  ///< of the row behind them, already in a shard
  std::map<std::string, int64_t> rejected;  ///< rows by kind
  uint64_t rejects_bytes = 0;               ///< of the list of rejected rows
  bool is_done = false;                     ///< the whole dataset
  uint64_t journal_bytes = 0;               ///< of the journal's lines that say so
};

class PrepareJournal {
 public:
  static std::filesystem::path path_of(const std::filesystem::path& directory,
                                       const std::string& name);
  /// What an earlier run of the same command left whole: up to the first shard that is missing or
  /// is not the one written then. Nothing if there is no journal. UsageError if it is another
  /// command's (`command`: all that decides the shards, in one text).
  static std::optional<PrepareState> find(const std::filesystem::path& directory,
                                          const std::string& name, const std::string& command);

  /// Goes on behind `state`, what find() gave; a state without journal_bytes begins anew.
  PrepareJournal(const std::filesystem::path& directory, const std::string& name,
                 const std::string& command, const PrepareState& state);
  /// A shard more than before, or the end.
  void append(const PrepareState& state);
  /// Removes the file.
  void finish();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  io::File file_;
  size_t shards_;  // that stand in the journal
};

}  // namespace lynceus::prepare
