// Reads a dataset shard: an HDF5 file of bytes and offsets (contiguous layout, no variable-length
// types) with its digest in a sidecar. N samples, M stored images, R uses of them, T turns:
//
//   /media/bytes         u8  [B]    encoded images, concatenated
//   /media/offset        u64 [M+1]  image j is bytes [offset[j], offset[j+1])
//   /media/digest        u64 [M]    XXH3-64 of each image
//   /sample/media        u64 [R]    version 2: use r is of image media[r]; images are stored in the
//                                   order of their first use, and each has one
//   /sample/media_begin  u64 [N+1]  sample i has uses [begin[i], begin[i+1])
//   /sample/turn_begin   u64 [N+1]  sample i has turns [begin[i], begin[i+1])
//   /sample/text_length  u32 [N]    UTF-8 bytes of all turns of sample i
//   /sample/kind         u8  [N]    MediaKind of sample i
//   /sample/key_bytes    u8  [..]   keys of the samples, concatenated
//   /sample/key_offset   u64 [N+1]  key i is bytes [offset[i], offset[i+1]) of key_bytes
//   /text/bytes          u8  [..]   texts of the turns, concatenated
//   /text/offset         u64 [T+1]  turn j is bytes [offset[j], offset[j+1]) of /text/bytes
//   /text/role           u8  [T]    TurnRole of turn j
//   attribute format       text     "lynceus-shard"
//   attribute version      integer  1 or 2
//   attribute task         text     ShardInfo
//   attribute source       text     ShardInfo
//   attribute created_by   text     ShardInfo
//   attribute num_samples  integer  N
//
// Version 2 stores an image once that several samples use, as the captions of one image do. In
// version 1 there is no /sample/media: R = M, and use r is of image r.
//
// Opening checks the sidecar, reads the arrays through HDF5 and closes the HDF5 file. Images, texts
// and keys are then read with pread, from any number of threads.
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
constexpr int64_t kSharedMediaVersion = 2;

class ShardReader {
 public:
  /// InputError if the sidecar is missing, or the shard is truncated, damaged, of another version,
  /// or not in the format above. Not thread-safe (HDF5 is not); the member functions are.
  explicit ShardReader(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const ShardInfo& info() const { return info_; }
  const ShardSidecar& sidecar() const { return sidecar_; }
  int64_t version() const { return version_; }
  int64_t size() const { return static_cast<int64_t>(text_length_.size()); }  ///< samples

  int64_t text_length(int64_t sample) const { return text_length_[at(sample)]; }  ///< UTF-8 bytes
  MediaKind kind(int64_t sample) const { return static_cast<MediaKind>(kind_[at(sample)]); }
  int media_count(int64_t sample) const;
  int64_t stored_media() const { return static_cast<int64_t>(media_digest_.size()); }
  /// Which stored image this is, 0 to stored_media() - 1.
  int64_t stored_index(int64_t sample, int index) const;
  std::vector<Turn> turns(int64_t sample) const;
  std::string key(int64_t sample) const;
  /// The encoded bytes. InputError naming file, key and both digests if the bytes are damaged.
  std::string read_media(int64_t sample, int index) const;

 private:
  struct Reader;

  void read_structure();
  size_t at(int64_t sample) const;

  File file_;
  ShardInfo info_;
  ShardSidecar sidecar_;
  int64_t version_ = kShardVersion;
  std::vector<uint64_t> media_offset_;
  std::vector<uint64_t> media_digest_;
  std::vector<uint64_t> media_begin_;
  std::vector<uint64_t> media_used_;  // /sample/media; empty in version 1
  std::vector<uint64_t> turn_begin_;
  std::vector<uint64_t> key_offset_;
  std::vector<uint64_t> text_offset_;
  std::vector<uint32_t> text_length_;
  std::vector<uint8_t> kind_;
  std::vector<uint8_t> role_;
  uint64_t media_at_ = 0;  // first byte of /media/bytes in the file
  uint64_t key_at_ = 0;    // of /sample/key_bytes
  uint64_t text_at_ = 0;   // of /text/bytes
};

}  // namespace lynceus::io
