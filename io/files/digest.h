// Digests: XXH3-128 and XXH3-64 (xxHash) of memory and files. They detect damage, not attacks.
//
// A file is hashed in blocks of 4 MiB, and the digests of the blocks are combined in order. So
// ranks can hash different blocks, and the result does not depend on the number of ranks:
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
  /// 32 lower-case hex digits, the format of `xxh128sum`.
  std::string hex() const;
};

constexpr uint64_t kDigestBlockBytes = 4ull << 20;

Digest128 digest128(const void* data, size_t size);
uint64_t digest64(const void* data, size_t size);

/// Parses the output of hex(). InputError naming `what` for any other text.
Digest128 parse_digest128(std::string_view hex, std::string_view what);

/// Number of blocks in `size` bytes. The last may be short; an empty file has none.
constexpr uint64_t digest_block_count(uint64_t size) {
  return size / kDigestBlockBytes + (size % kDigestBlockBytes != 0);
}
/// Digest of block `index` of a file of `file_size` bytes.
Digest128 digest_file_block(const File& file, uint64_t file_size, uint64_t index);
/// One digest for all blocks, which must be in order; total_bytes is their total size.
Digest128 combine_digests(std::span<const Digest128> blocks, uint64_t total_bytes);
/// The combined digest of a file.
Digest128 digest_file(const std::filesystem::path& path);

}  // namespace lynceus::io
