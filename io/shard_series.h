// Samples of one dataset spread over shards of bounded size: NAME.h5, then NAME-1.h5, NAME-2.h5 ...
// Used by `lynceus prepare`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/sample.h"
#include "io/shard_writer.h"

namespace lynceus::io {

class ShardSeries {
 public:
  /// The shards of this name that stand in `directory`, sorted by name.
  static std::vector<std::filesystem::path> existing(const std::filesystem::path& directory,
                                                     const std::string& name);

  /// A shard ends with the sample that brings it to max_bytes of media, texts and keys.
  ShardSeries(std::filesystem::path directory, std::string name, ShardInfo info,
              uint64_t max_bytes);
  /// Without close(): removes the shards that it wrote.
  ~ShardSeries();
  ShardSeries(const ShardSeries&) = delete;
  ShardSeries& operator=(const ShardSeries&) = delete;

  void add(const Sample& sample);
  /// Completes the last shard and removes shards of this name that an earlier, larger series left.
  void close();

  const std::string& name() const { return name_; }
  /// Of the whole series.
  int64_t samples() const { return samples_; }
  int64_t media() const { return media_; }
  uint64_t media_bytes() const { return media_bytes_; }
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  std::filesystem::path current_path() const;  ///< of the shard after the complete ones
  void close_shard();

  std::filesystem::path directory_;
  std::string name_;
  ShardInfo info_;
  uint64_t max_bytes_;
  std::unique_ptr<ShardWriter> writer_;
  std::vector<std::filesystem::path> files_;  // complete ones
  bool closed_ = false;
  int64_t samples_ = 0;
  int64_t media_ = 0;
  uint64_t media_bytes_ = 0;
};

}  // namespace lynceus::io
