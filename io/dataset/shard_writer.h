// Writes a dataset shard (the format is in shard.h) sample by sample with bounded memory: media are
// stored in a temporary file in the same directory until their total size is known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/dataset/sample.h"
#include "io/files/file.h"
#include "io/files/hdf5.h"

namespace lynceus::io {

class ShardWriter {
 public:
  /// Creates temporary files in the directory of `path`; close() creates the shard.
  ShardWriter(std::filesystem::path path, ShardInfo info);
  /// Removes the temporary files.
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  void add(const Sample& sample);
  int64_t size() const { return static_cast<int64_t>(text_length_.size()); }  ///< samples so far
  uint64_t media_bytes() const { return media_offset_.back(); }               ///< so far
  /// Bytes of media, texts and keys so far, for callers that limit the size of a shard.
  uint64_t bytes() const { return media_bytes() + text_bytes_.size() + key_bytes_.size(); }
  /// Completes the file and its sidecar, makes both durable and renames them to their final paths.
  void close();

 private:
  std::filesystem::path temporary(const char* suffix) const;
  void write_hdf5(const std::filesystem::path& path) const;
  void write_blobs(hid_t file, const std::string& name) const;
  void read_back(const std::filesystem::path& path) const;

  std::filesystem::path path_;
  ShardInfo info_;
  File blobs_;  // all media, one after the other
  bool closed_ = false;

  std::vector<uint64_t> media_offset_{0};
  std::vector<uint64_t> media_digest_;
  std::vector<uint64_t> media_begin_{0};
  std::vector<uint64_t> turn_begin_{0};
  std::vector<uint32_t> text_length_;
  std::vector<uint8_t> kind_;
  std::string key_bytes_;
  std::vector<uint64_t> key_offset_{0};
  std::string text_bytes_;
  std::vector<uint64_t> text_offset_{0};
  std::vector<uint8_t> role_;
};

}  // namespace lynceus::io
