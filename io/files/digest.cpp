#include "io/files/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "core/check.h"

namespace lynceus::io {
namespace {

Digest128 from_library(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

void append_big_endian(std::vector<unsigned char>& bytes, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<unsigned char>(value >> shift));
}

}  // namespace

std::string Digest128::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest128 digest128(const void* data, size_t size) {
  return from_library(XXH3_128bits(data, size));
}

uint64_t digest64(const void* data, size_t size) { return XXH3_64bits(data, size); }

Digest128 parse_digest128(std::string_view hex, std::string_view what) {
  const bool plain = hex.size() == 32 && std::all_of(hex.begin(), hex.end(), [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (!plain)
    throw InputError("{}: expected an XXH3-128 digest of 32 hex digits, found '{}'", what,
                     hex.substr(0, 64));
  Digest128 digest;
  std::from_chars(hex.data(), hex.data() + 16, digest.high, 16);
  std::from_chars(hex.data() + 16, hex.data() + 32, digest.low, 16);
  return digest;
}

Digest128 digest_file_block(const File& file, uint64_t file_size, uint64_t index) {
  LYNCEUS_CHECK(index < digest_block_count(file_size), "block {} of {} bytes", index, file_size);
  const uint64_t begin = index * kDigestBlockBytes;
  std::vector<unsigned char> block(std::min(kDigestBlockBytes, file_size - begin));
  file.read_at(begin, block.data(), block.size());
  return digest128(block.data(), block.size());
}

Digest128 combine_digests(std::span<const Digest128> blocks, uint64_t total_bytes) {
  std::vector<unsigned char> bytes;
  bytes.reserve(8 + 16 * blocks.size());
  for (int shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<unsigned char>(total_bytes >> shift));
  for (const Digest128& block : blocks) {
    append_big_endian(bytes, block.high);
    append_big_endian(bytes, block.low);
  }
  return digest128(bytes.data(), bytes.size());
}

Digest128 digest_file(const std::filesystem::path& path) {
  const File file = File::open(path);
  const uint64_t size = file.size();
  std::vector<Digest128> blocks;
  for (uint64_t index = 0; index < digest_block_count(size); ++index)
    blocks.push_back(digest_file_block(file, size, index));
  return combine_digests(blocks, size);
}

}  // namespace lynceus::io
