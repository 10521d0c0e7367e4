// A named dataset: all dataset shards that match a pattern, as one list of samples.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/dataset/shard.h"

namespace lynceus::io {

class Dataset {
 public:
  /// Opens all files_matching(pattern) (io/files/file_pattern.h), in that order. InputError if
  /// there is none, or if one is not a valid dataset shard.
  Dataset(std::string name, const std::string& pattern);

  const std::string& name() const { return name_; }
  int64_t size() const { return first_sample_.back(); }  ///< samples
  /// A digest of all content: media through their own digests, file names excluded.
  std::string fingerprint() const;
  const std::vector<ShardReader>& shards() const { return shards_; }

  /// As in ShardReader; thread-safe.
  int64_t text_length(int64_t sample) const;
  MediaKind kind(int64_t sample) const;
  int media_count(int64_t sample) const;
  std::vector<Turn> turns(int64_t sample) const;
  std::string key(int64_t sample) const;
  std::string read_media(int64_t sample, int index) const;
  const ShardInfo& info(int64_t sample) const;
  /// "file: sample 12 (key)", for messages.
  std::string describe(int64_t sample) const;

 private:
  struct Place {
    const ShardReader& shard;
    int64_t sample;
  };
  Place locate(int64_t sample) const;

  std::string name_;
  std::vector<ShardReader> shards_;
  std::vector<int64_t> first_sample_{0};  // [shards + 1]
};

}  // namespace lynceus::io
