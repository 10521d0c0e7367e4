// A dataset shard, read: an HDF5 file of blobs and offsets (no variable-length types, contiguous
// layout) with a sidecar digest. Written by ShardWriter.
//
//   /media/bytes u8 [B], /media/offset u64 [M+1], /media/digest u64 [M] (XXH3-64 of each blob)
//   /sample/media_begin u64 [N+1], /sample/turn_begin u64 [N+1]  sample i has [begin[i],
//   begin[i+1]) /sample/text_length u32 [N] UTF-8 bytes, /sample/kind u8 [N] (MediaKind)
//   /sample/key_bytes u8, /sample/key_offset u64 [N+1]
//   /text/bytes u8, /text/offset u64 [T+1], /text/role u8 [T] (TurnRole)
//   root attributes: format "lynceus-shard", version 1, task, source, created_by, num_samples
//
// Opening checks the sidecar, reads the arrays and closes the HDF5 library again; blobs, texts and
// keys are then read with pread, from any number of threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/dataset/sample.h"
#include "io/dataset/shard_sidecar.h"
#include "io/files/file.h"

namespace lynceus::io {

constexpr std::string_view kShardFormat = "lynceus-shard";
constexpr int64_t kShardVersion = 1;

class ShardReader {
 public:
  /// InputError for a shard that is missing its sidecar, truncated, damaged, of another version, or
  /// not of the shape above. Not thread-safe (HDF5 is not); everything below is.
  explicit ShardReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const ShardInfo& info() const { return info_; }
  const ShardSidecar& sidecar() const { return sidecar_; }
  int64_t size() const { return static_cast<int64_t>(text_length_.size()); }  ///< samples

  int64_t text_length(int64_t sample) const { return text_length_[at(sample)]; }  ///< UTF-8 bytes
  MediaKind kind(int64_t sample) const { return static_cast<MediaKind>(kind_[at(sample)]); }
  int media_count(int64_t sample) const;
  std::vector<Turn> turns(int64_t sample) const;
  std::string key(int64_t sample) const;
  /// The encoded bytes, as they came. InputError naming file, key and both digests when they are
  /// damaged.
  std::string read_media(int64_t sample, int index) const;

 private:
  struct Reader;

  void read_structure();
  size_t at(int64_t sample) const;

  File file_;
  ShardInfo info_;
  ShardSidecar sidecar_;
  std::vector<uint64_t> media_offset_;
  std::vector<uint64_t> media_digest_;
  std::vector<uint64_t> media_begin_;
  std::vector<uint64_t> turn_begin_;
  std::vector<uint64_t> key_offset_;
  std::vector<uint64_t> text_offset_;
  std::vector<uint32_t> text_length_;
  std::vector<uint8_t> kind_;
  std::vector<uint8_t> role_;
  uint64_t media_at_ = 0;  // where the bytes begin in the file
  uint64_t key_at_ = 0;
  uint64_t text_at_ = 0;
};

}  // namespace lynceus::io
