// Writes the samples of one dataset to shards of bounded size: NAME.h5, NAME-1.h5, NAME-2.h5 ...
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/dataset/sample.h"
#include "io/dataset/shard_writer.h"

namespace lynceus::io {

/// The contents of the complete shards of a series.
struct ShardSeriesState {
  std::vector<std::filesystem::path> files;
  int64_t samples = 0;
  int64_t media = 0;         ///< of all samples
  int64_t stored_media = 0;  ///< less than `media` where samples of a shard share media
  uint64_t media_bytes = 0;  ///< of the stored media
};

class ShardSeries {
 public:
  /// The shards of this name in `directory`, sorted by name.
  static std::vector<std::filesystem::path> existing(const std::filesystem::path& directory,
                                                     const std::string& name);

  /// A shard ends with the sample that brings it to max_bytes of stored media, texts and keys.
  ShardSeries(std::filesystem::path directory, std::string name, ShardInfo info,
              uint64_t max_bytes);
  /// Without close(): removes the written shards, except after keep_shards().
  ~ShardSeries();
  ShardSeries(const ShardSeries&) = delete;
  ShardSeries& operator=(const ShardSeries&) = delete;

  /// Keeps complete shards even without close(), and calls `on_shard` after each complete shard.
  /// The series continues after the shards of an earlier run.
  void keep_shards(ShardSeriesState earlier, std::function<void(const ShardSeriesState&)> on_shard);
  /// Calls `check` before a shard gets its name; nothing is written there if it throws.
  void before_shard(std::function<void()> check) { before_shard_ = std::move(check); }
  void add(const Sample& sample);
  /// Completes the last shard. Removes temporary files, and shards of an earlier, larger series of
  /// this name.
  void close();

  const std::string& name() const { return name_; }
  /// The complete files, and counts of all samples added so far.
  const ShardSeriesState& state() const { return state_; }
  int64_t samples() const { return state_.samples; }
  int64_t media() const { return state_.media; }
  uint64_t media_bytes() const { return state_.media_bytes; }
  const std::vector<std::filesystem::path>& files() const { return state_.files; }

 private:
  std::filesystem::path current_path() const;  ///< of the incomplete shard
  void close_shard();

  std::filesystem::path directory_;
  std::string name_;
  ShardInfo info_;
  uint64_t max_bytes_;
  std::unique_ptr<ShardWriter> writer_;
  ShardSeriesState state_;
  std::function<void(const ShardSeriesState&)> on_shard_;
  std::function<void()> before_shard_;
  bool closed_ = false;
};

}  // namespace lynceus::io
