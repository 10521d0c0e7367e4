// Digests: XXH3-128 and XXH3-64 (xxHash) of memory and files, to notice damage, not attackers.
//
// A file's digest is taken over fixed 4-MiB blocks and combined in order by a pure function, so
// that different ranks can hash different blocks and every grid gets the same value:
//   combined = XXH3-128(total bytes u64 LE, then each block's digest, 16 bytes big-endian)
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "io/files/file.h"

namespace lynceus::io {

struct Digest128 {
  uint64_t high = 0;
  uint64_t low = 0;

  bool operator==(const Digest128&) const = default;
  /// 32 lower-case hex digits, the form that `xxh128sum` prints.
  std::string hex() const;
};

constexpr uint64_t kDigestBlockBytes = 4ull << 20;

Digest128 digest128(const void* data, size_t size);
uint64_t digest64(const void* data, size_t size);

/// The digest that hex() wrote; InputError naming `what` for anything else.
Digest128 parse_digest128(std::string_view hex, std::string_view what);

/// How many blocks `size` bytes have; the last may be short, an empty file has none.
constexpr uint64_t digest_block_count(uint64_t size) {
  return size / kDigestBlockBytes + (size % kDigestBlockBytes != 0);
}
/// Digest of block `index` of a file of `file_size` bytes.
Digest128 digest_file_block(const File& file, uint64_t file_size, uint64_t index);
/// One digest for all blocks, given in order; total_bytes is the size of what they cover.
Digest128 combine_digests(std::span<const Digest128> blocks, uint64_t total_bytes);
/// All blocks of one file, combined.
Digest128 digest_file(const std::filesystem::path& path);

}  // namespace lynceus::io
