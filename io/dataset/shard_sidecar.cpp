#include "io/dataset/shard_sidecar.h"

#include <xxhash.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <vector>

#include "core/error.h"
#include "io/files/hdf5.h"

namespace lynceus::io {
namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr uint64_t kMaxSidecarBytes = 4096;

Digest128 digest_outside(const File& shard, uint64_t size, uint64_t begin, uint64_t end) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> buffer(std::min<uint64_t>(size, kBufferBytes));
  const auto add = [&](uint64_t from, uint64_t to) {
    while (from < to) {
      const size_t count = static_cast<size_t>(std::min<uint64_t>(to - from, buffer.size()));
      shard.read_at(from, buffer.data(), count);
      XXH3_128bits_update(state.get(), buffer.data(), count);
      from += count;
    }
  };
  add(0, begin);
  add(end, size);
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return {hash.high64, hash.low64};
}

}  // namespace

std::filesystem::path ShardSidecar::path_of(const std::filesystem::path& shard) {
  return shard.string() + ".xxh";
}

ShardSidecar ShardSidecar::measure(const std::filesystem::path& shard) {
  const std::string name = shard.string();
  ShardSidecar sidecar;
  hdf5::Handle file = hdf5::open_file_read_only(name);
  hdf5::Handle blobs = hdf5::open_dataset(file, "media/bytes", name);
  const uint64_t bytes = H5Dget_storage_size(blobs);
  if (bytes > 0) sidecar.blobs_begin = H5Dget_offset(blobs);
  sidecar.blobs_end = sidecar.blobs_begin + bytes;
  blobs.close("cannot close media/bytes", name);
  file.close("cannot close", name);
  const File bytes_of_file = File::open(shard);
  sidecar.size = bytes_of_file.size();
  sidecar.outside =
      digest_outside(bytes_of_file, sidecar.size, sidecar.blobs_begin, sidecar.blobs_end);
  return sidecar;
}

std::string ShardSidecar::to_text() const {
  std::string text = fmt::format("lynceus-shard-sidecar 1\nsize {}\nblobs {} {}\noutside {}\n",
                                 size, blobs_begin, blobs_end, outside.hex());
  return text + fmt::format("self {:016x}\n", digest64(text.data(), text.size()));
}

ShardSidecar ShardSidecar::read(const std::filesystem::path& shard) {
  const std::filesystem::path path = path_of(shard);
  if (!std::filesystem::exists(path)) {
    throw InputError("{}: expected the shard's digest in {}, found no such file", shard.string(),
                     path.string());
  }
  const std::string text = read_text(path, kMaxSidecarBytes);
  ShardSidecar sidecar;
  char hex[33] = "";
  const int fields = std::sscanf(text.c_str(),
                                 "lynceus-shard-sidecar 1\nsize %" SCNu64 "\nblobs %" SCNu64
                                 " %" SCNu64 "\noutside %32[0-9a-f]",
                                 &sidecar.size, &sidecar.blobs_begin, &sidecar.blobs_end, hex);
  if (fields == 4 && std::char_traits<char>::length(hex) == 32) {
    sidecar.outside = parse_digest128(hex, path.string());
    // The parsed values must format to the same text; this includes the digest of the text itself.
    if (sidecar.to_text() == text && sidecar.blobs_begin <= sidecar.blobs_end &&
        sidecar.blobs_end <= sidecar.size) {
      return sidecar;
    }
  }
  throw InputError("{}: expected a shard's digest, version 1, found damaged or other text",
                   path.string());
}

void ShardSidecar::check(const File& shard) const {
  const uint64_t found_size = shard.size();
  if (found_size != size) {
    throw InputError("{}: expected {} bytes, found {}: the file is {}", shard.path().string(), size,
                     found_size, found_size < size ? "truncated" : "not the one that was digested");
  }
  const Digest128 found = digest_outside(shard, size, blobs_begin, blobs_end);
  if (found != outside) {
    throw InputError("{}: metadata digest: expected {}, found {}: the file is damaged",
                     shard.path().string(), outside.hex(), found.hex());
  }
}

}  // namespace lynceus::io
