#include "io/dataset/shard_writer.h"

#include <algorithm>
#include <limits>
#include <random>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "io/dataset/shard.h"
#include "io/dataset/shard_sidecar.h"
#include "io/files/digest.h"
#include "io/files/hdf5.h"

namespace lynceus::io {
namespace {

constexpr size_t kCopyBytes = 4 << 20;

/// Creates and fills a one-dimensional dataset.
void write_array(hid_t file, const std::string& name, hid_t disk_type, hid_t memory_type,
                 const void* values, size_t count, const std::string& path) {
  hdf5::Handle dataset = hdf5::create_dataset(file, name, disk_type, {count}, path);
  if (count > 0) {
    hdf5::check(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
                "cannot write " + name, path);
  }
  dataset.close("cannot close " + name, path);
}

void write_array(hid_t file, const std::string& name, const std::vector<uint64_t>& values,
                 const std::string& path) {
  write_array(file, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, values.data(), values.size(), path);
}

void write_array(hid_t file, const std::string& name, const std::vector<uint32_t>& values,
                 const std::string& path) {
  write_array(file, name, H5T_STD_U32LE, H5T_NATIVE_UINT32, values.data(), values.size(), path);
}

void write_array(hid_t file, const std::string& name, const std::vector<uint8_t>& values,
                 const std::string& path) {
  write_array(file, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, values.data(), values.size(), path);
}

void write_array(hid_t file, const std::string& name, const std::string& bytes,
                 const std::string& path) {
  write_array(file, name, H5T_STD_U8LE, H5T_NATIVE_UINT8, bytes.data(), bytes.size(), path);
}

[[noreturn]] void throw_differs(const std::filesystem::path& path, int64_t sample) {
  throw IoError("{}: sample {}: the data read back differs from the data written", path.string(),
                sample);
}

}  // namespace

ShardWriter::ShardWriter(std::filesystem::path path, ShardInfo info, size_t remembered)
    : path_(std::move(path)),
      token_(fmt::format("{:08x}", std::random_device()())),
      info_(std::move(info)),
      recent_(remembered) {
  blobs_ = File::create(temporary(".blobs"));
}

ShardWriter::~ShardWriter() {
  std::error_code ignored;
  for (const char* suffix : {".blobs", ".h5", ".h5.xxh"}) {
    std::filesystem::remove(temporary(suffix), ignored);
  }
}

std::filesystem::path ShardWriter::temporary(const char* suffix) const {
  return fmt::format("{}.tmp.{}{}", path_.string(), token_, suffix);
}

void ShardWriter::add(const Sample& sample) {
  LYNCEUS_CHECK(!closed_, "{} is closed", path_.string());
  uint64_t text_length = 0;
  for (const Turn& turn : sample.turns) {
    text_length += turn.text.size();
    text_bytes_ += turn.text;
    text_offset_.push_back(text_bytes_.size());
    role_.push_back(static_cast<uint8_t>(turn.role));
  }
  if (text_length > std::numeric_limits<uint32_t>::max()) {
    throw InputError("{}: sample {}: expected less than 4 GiB of text, found {} bytes",
                     path_.string(), sample.key, text_length);
  }
  for (const std::string& encoded : sample.media) media_used_.push_back(store(encoded));
  key_bytes_ += sample.key;
  key_offset_.push_back(key_bytes_.size());
  media_begin_.push_back(media_used_.size());
  turn_begin_.push_back(role_.size());
  kind_.push_back(static_cast<uint8_t>(sample.kind));
  text_length_.push_back(static_cast<uint32_t>(text_length));
}

uint64_t ShardWriter::store(const std::string& encoded) {
  const uint64_t digest = digest64(encoded.data(), encoded.size());
  const auto known = recent_.find(digest);
  if (known && is_stored(*known, encoded)) return *known;
  blobs_.append(encoded.data(), encoded.size());
  media_offset_.push_back(media_offset_.back() + encoded.size());
  media_digest_.push_back(digest);
  recent_.add(digest);
  return media_digest_.size() - 1;
}

/// Compares the bytes: other images may have the same digest.
bool ShardWriter::is_stored(uint64_t media, const std::string& encoded) const {
  const uint64_t begin = media_offset_[media];
  if (media_offset_[media + 1] - begin != encoded.size()) return false;
  std::string stored(encoded.size(), '\0');
  if (!stored.empty()) blobs_.read_at(begin, stored.data(), stored.size());
  return stored == encoded;
}

void ShardWriter::close() {
  LYNCEUS_CHECK(!closed_, "{} is closed already", path_.string());
  const std::filesystem::path shard = temporary(".h5");
  write_hdf5(shard);
  sync_file(shard);
  const ShardSidecar sidecar = ShardSidecar::measure(shard);
  atomic_write_text(ShardSidecar::path_of(shard), sidecar.to_text());
  // HDF5 may report success although a full disk did not store all metadata.
  read_back(shard);
  // The sidecar first: a shard without a sidecar is refused, a sidecar without a shard is harmless.
  rename_file(ShardSidecar::path_of(shard), ShardSidecar::path_of(path_));
  rename_file(shard, path_);
  const std::filesystem::path parent = path_.parent_path();
  sync_directory(parent.empty() ? std::filesystem::path(".") : parent);
  closed_ = true;
}

void ShardWriter::write_hdf5(const std::filesystem::path& path) const {
  const std::string name = path.string();
  hdf5::Handle file = hdf5::create_file(name);
  hdf5::write_attribute(file, "format", std::string(kShardFormat), name);
  const bool shares = media_used_.size() > media_digest_.size();
  hdf5::write_attribute(file, "version", shares ? kSharedMediaVersion : kShardVersion, name);
  hdf5::write_attribute(file, "task", info_.task, name);
  hdf5::write_attribute(file, "source", info_.source, name);
  hdf5::write_attribute(file, "created_by", info_.created_by, name);
  hdf5::write_attribute(file, "num_samples", size(), name);

  write_blobs(file, name);
  write_array(file, "media/offset", media_offset_, name);
  write_array(file, "media/digest", media_digest_, name);
  if (shares) write_array(file, "sample/media", media_used_, name);
  write_array(file, "sample/media_begin", media_begin_, name);
  write_array(file, "sample/turn_begin", turn_begin_, name);
  write_array(file, "sample/text_length", text_length_, name);
  write_array(file, "sample/kind", kind_, name);
  write_array(file, "sample/key_bytes", key_bytes_, name);
  write_array(file, "sample/key_offset", key_offset_, name);
  write_array(file, "text/bytes", text_bytes_, name);
  write_array(file, "text/offset", text_offset_, name);
  write_array(file, "text/role", role_, name);
  hdf5::check(H5Fflush(file, H5F_SCOPE_GLOBAL), "cannot flush", name);
  file.close("cannot close", name);
}

void ShardWriter::write_blobs(hid_t file, const std::string& name) const {
  hdf5::Handle dataset =
      hdf5::create_dataset(file, "media/bytes", H5T_STD_U8LE, {media_bytes()}, name);
  const hdf5::Handle target = hdf5::simple_space({media_bytes()}, name);
  std::vector<char> buffer(static_cast<size_t>(std::min<uint64_t>(media_bytes(), kCopyBytes)));
  for (hsize_t done = 0; done < media_bytes();) {
    const hsize_t count = std::min<hsize_t>(media_bytes() - done, buffer.size());
    blobs_.read_at(done, buffer.data(), static_cast<size_t>(count));
    const hdf5::Handle source = hdf5::simple_space({count}, name);
    hdf5::check(H5Sselect_hyperslab(target, H5S_SELECT_SET, &done, nullptr, &count, nullptr),
                "cannot select in media/bytes", name);
    hdf5::check(H5Dwrite(dataset, H5T_NATIVE_UINT8, source, target, H5P_DEFAULT, buffer.data()),
                "cannot write media/bytes", name);
    done += count;
  }
  dataset.close("cannot close media/bytes", name);
}

void ShardWriter::read_back(const std::filesystem::path& path) const {
  const ShardReader shard(path);
  LYNCEUS_CHECK(shard.size() == size(), "{} samples of {}", shard.size(), size());
  int64_t checked = 0;  // stored media, which are in the order of their first use
  for (int64_t i = 0; i < size(); ++i) {
    std::string text;
    for (const Turn& turn : shard.turns(i)) text += turn.text;
    const uint64_t begin = text_offset_[turn_begin_[i]];
    if (text_bytes_.compare(begin, text_offset_[turn_begin_[i + 1]] - begin, text) != 0 ||
        key_bytes_.compare(key_offset_[i], key_offset_[i + 1] - key_offset_[i], shard.key(i)) !=
            0) {
      throw_differs(path, i);
    }
    for (int k = 0; k < shard.media_count(i); ++k) {
      const int64_t media = shard.stored_index(i, k);
      if (media != static_cast<int64_t>(media_used_[media_begin_[i] + static_cast<uint64_t>(k)])) {
        throw_differs(path, i);
      }
      if (media < checked) continue;
      shard.read_media(i, k);
      ++checked;
    }
  }
}

}  // namespace lynceus::io
