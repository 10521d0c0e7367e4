// The sidecar of a dataset shard: PATH.xxh, a few lines of text with a digest of all bytes of the
// shard except its media blobs, which have their own digests. It is checked before HDF5 opens the
// file: HDF5 can crash on damaged metadata, and it reads damaged data without an error.
//
//   lynceus-shard-sidecar 1
//   size 123456
//   blobs 4096 100000                 first byte, byte after the last
//   outside 32 hex digits             XXH3-128 of [0, first) and [last, size)
//   self 16 hex digits                XXH3-64 of the four lines above
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/files/digest.h"

namespace lynceus::io {

struct ShardSidecar {
  uint64_t size = 0;
  uint64_t blobs_begin = 0;
  uint64_t blobs_end = 0;
  Digest128 outside;

  static std::filesystem::path path_of(const std::filesystem::path& shard);
  /// Computes the sidecar of a finished shard, whose HDF5 structure must be valid.
  static ShardSidecar measure(const std::filesystem::path& shard);
  /// InputError if it is missing, damaged, or of another version.
  static ShardSidecar read(const std::filesystem::path& shard);

  std::string to_text() const;
  /// InputError if the size of the shard or the digest of its bytes outside the blobs is wrong.
  void check(const File& shard) const;
};

}  // namespace lynceus::io
