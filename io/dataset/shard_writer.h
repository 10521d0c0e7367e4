// Writes a dataset shard (the format is in shard.h) sample by sample with bounded memory: media are
// stored in a temporary file in the same directory until their total size is known. Media with the
// same bytes as one of the last `remembered` stored media are not stored again. A shard in which no
// media are shared has version 1, which all programs read, otherwise version 2.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/dataset/recent_media.h"
#include "io/dataset/sample.h"
#include "io/files/file.h"
#include "io/files/hdf5.h"

namespace lynceus::io {

class ShardWriter {
 public:
  /// Creates temporary files in the directory of `path`; close() creates the shard.
  ShardWriter(std::filesystem::path path, ShardInfo info, size_t remembered = RecentMedia::kMost);
  /// Removes the temporary files.
  ~ShardWriter();
  ShardWriter(const ShardWriter&) = delete;
  ShardWriter& operator=(const ShardWriter&) = delete;

  void add(const Sample& sample);
  int64_t size() const { return static_cast<int64_t>(text_length_.size()); }  ///< samples so far
  int64_t stored_media() const { return static_cast<int64_t>(media_digest_.size()); }  ///< so far
  uint64_t media_bytes() const { return media_offset_.back(); }  ///< of stored media, so far
  /// Bytes of media, texts and keys so far, for callers that limit the size of a shard.
  uint64_t bytes() const { return media_bytes() + text_bytes_.size() + key_bytes_.size(); }
  /// Completes the file and its sidecar, makes both durable and renames them to their final paths.
  void close();

 private:
  std::filesystem::path temporary(const char* suffix) const;
  /// The number of the stored media with these bytes; stores them if none is remembered.
  uint64_t store(const std::string& encoded);
  bool is_stored(uint64_t media, const std::string& encoded) const;
  void write_hdf5(const std::filesystem::path& path) const;
  void write_blobs(hid_t file, const std::string& name) const;
  void read_back(const std::filesystem::path& path) const;

  std::filesystem::path path_;
  std::string token_;  // of the temporary files; another process may write a shard of this name
  ShardInfo info_;
  File blobs_;  // all stored media, one after the other
  RecentMedia recent_;
  bool closed_ = false;

  std::vector<uint64_t> media_offset_{0};
  std::vector<uint64_t> media_digest_;
  std::vector<uint64_t> media_used_;
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
