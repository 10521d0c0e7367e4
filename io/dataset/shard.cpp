// The sidecar detects damage, but not a file that was written wrongly. Therefore every extent,
// offset and count is checked before it is used, and nothing larger than the file is allocated.
#include "io/dataset/shard.h"

#include <algorithm>

#include "core/check.h"
#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/files/hdf5.h"

namespace lynceus::io {

/// Reads and checks arrays of one open file.
struct ShardReader::Reader {
  hid_t file;
  std::string path;
  uint64_t file_size;

  [[noreturn]] void refuse(const std::string& name, const std::string& expected,
                           const std::string& found) const {
    throw InputError("{}: {}: expected {}, found {}", path, name, expected, found);
  }

  /// Opens a dataset. It must be hard-linked, contiguous and one-dimensional, contain unsigned
  /// integers of the given size, and be stored inside the file.
  hdf5::Handle open(const std::string& name, size_t element_bytes, uint64_t* count,
                    uint64_t* offset) const {
    for (const std::string& link : {name.substr(0, name.find('/')), name}) {
      H5L_info_t info{};
      hdf5::check(H5Lget_info(file, link.c_str(), &info, H5P_DEFAULT), "no " + link, path);
      if (info.type != H5L_TYPE_HARD) refuse(link, "a hard link", "a soft or external link");
    }
    hdf5::Handle dataset = hdf5::open_dataset(file, name, path);
    const hdf5::Handle type(hdf5::check(H5Dget_type(dataset), "no type of " + name, path),
                            H5Tclose);
    if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) != element_bytes ||
        H5Tget_sign(type) != H5T_SGN_NONE) {
      refuse(name, fmt::format("unsigned integers of {} bytes", element_bytes), "another type");
    }
    const std::vector<hsize_t> extents = hdf5::extents_of(dataset, path);
    if (extents.size() != 1) refuse(name, "one axis", std::to_string(extents.size()));
    const hdf5::Handle creation(
        hdf5::check(H5Dget_create_plist(dataset), "no properties of " + name, path), H5Pclose);
    if (H5Pget_layout(creation) != H5D_CONTIGUOUS || H5Pget_external_count(creation) != 0) {
      refuse(name, "contiguous layout", "another layout");
    }
    *count = extents[0];
    *offset = 0;
    if (*count == 0) return dataset;
    const haddr_t begin = H5Dget_offset(dataset);
    if (begin == HADDR_UNDEF || begin > file_size || *count > (file_size - begin) / element_bytes) {
      refuse(name, fmt::format("at most the file's {} bytes", file_size),
             fmt::format("{} values of {} bytes", *count, element_bytes));
    }
    *offset = begin;
    return dataset;
  }

  template <typename T>
  std::vector<T> array(const std::string& name, hid_t memory_type) const {
    uint64_t count = 0;
    uint64_t offset = 0;
    const hdf5::Handle dataset = open(name, sizeof(T), &count, &offset);
    std::vector<T> values(static_cast<size_t>(count));
    if (count > 0) {
      hdf5::check(H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
                  "cannot read " + name, path);
    }
    return values;
  }

  template <typename T>
  std::vector<T> array_of(const std::string& name, hid_t memory_type, size_t count) const {
    std::vector<T> values = array<T>(name, memory_type);
    if (values.size() != count) {
      refuse(name, fmt::format("{} values", count), std::to_string(values.size()));
    }
    return values;
  }

  /// The position of a byte array in the file; *bytes is its length.
  uint64_t place_of(const std::string& name, uint64_t* bytes) const {
    uint64_t offset = 0;
    open(name, 1, bytes, &offset);
    return offset;
  }

  /// Offsets that begin at 0, never decrease and end at `total`.
  void check_offsets(const std::string& name, const std::vector<uint64_t>& offsets,
                     uint64_t total) const {
    if (offsets.empty() || offsets.front() != 0 || offsets.back() != total ||
        !std::is_sorted(offsets.begin(), offsets.end())) {
      refuse(name, fmt::format("offsets that increase from 0 to {}", total),
             offsets.empty() ? "none"
                             : fmt::format("{} values from {} to {}", offsets.size(),
                                           offsets.front(), offsets.back()));
    }
  }

  /// Uses of `stored` images, which are numbered in the order of their first use.
  void check_uses(const std::string& name, const std::vector<uint64_t>& uses,
                  uint64_t stored) const {
    uint64_t used = 0;
    for (size_t i = 0; i < uses.size(); ++i) {
      const uint64_t bound = std::min(used + 1, stored);
      if (uses[i] >= bound) {
        refuse(fmt::format("{}[{}]", name, i), fmt::format("less than {}", bound),
               std::to_string(uses[i]));
      }
      used = std::max(used, uses[i] + 1);
    }
    if (used != stored) {
      refuse(name, fmt::format("a use of each of {} images", stored), fmt::format("of {}", used));
    }
  }

  void check_codes(const std::string& name, const std::vector<uint8_t>& codes, int bound) const {
    const auto bad =
        std::find_if(codes.begin(), codes.end(), [&](uint8_t code) { return code >= bound; });
    if (bad != codes.end()) {
      refuse(fmt::format("{}[{}]", name, bad - codes.begin()), fmt::format("less than {}", bound),
             std::to_string(*bad));
    }
  }
};

namespace {

File open_shard(const std::filesystem::path& path) {
  File file = File::open(path);
  const std::string head = file.head(kForeignHeadBytes);
  if (!head.starts_with("\x89HDF")) refuse_foreign(head, path.string(), "a dataset shard (HDF5)");
  return file;
}

}  // namespace

ShardReader::ShardReader(const std::filesystem::path& path)
    : file_(open_shard(path)), sidecar_(ShardSidecar::read(path)) {
  sidecar_.check(file_);
  try {
    read_structure();
  } catch (const IoError& error) {
    // The file was just read for the digest, so the failure is in its content, not in the I/O.
    throw InputError("{}", error.what());
  }
}

void ShardReader::read_structure() {
  const hdf5::LibraryTurn turn;
  const std::string name = path().string();
  hdf5::Handle file = hdf5::open_file_read_only(name);
  const Reader reader{file, name, sidecar_.size};
  const std::string format = hdf5::read_string_attribute(file, "format", name);
  if (format != kShardFormat) reader.refuse("format", std::string(kShardFormat), format);
  version_ = hdf5::read_int_attribute(file, "version", name);
  if (version_ != kShardVersion && version_ != kSharedMediaVersion) {
    reader.refuse("version", fmt::format("{} or {}", kShardVersion, kSharedMediaVersion),
                  std::to_string(version_));
  }
  info_ = {hdf5::read_string_attribute(file, "task", name),
           hdf5::read_string_attribute(file, "source", name),
           hdf5::read_string_attribute(file, "created_by", name)};

  uint64_t media_bytes = 0;
  uint64_t key_bytes = 0;
  uint64_t text_bytes = 0;
  media_at_ = reader.place_of("media/bytes", &media_bytes);
  key_at_ = reader.place_of("sample/key_bytes", &key_bytes);
  text_at_ = reader.place_of("text/bytes", &text_bytes);
  if (media_at_ != sidecar_.blobs_begin ||
      media_bytes != sidecar_.blobs_end - sidecar_.blobs_begin) {
    reader.refuse("media/bytes",
                  fmt::format("bytes {} to {}", sidecar_.blobs_begin, sidecar_.blobs_end),
                  fmt::format("{} bytes at {}", media_bytes, media_at_));
  }
  media_digest_ = reader.array<uint64_t>("media/digest", H5T_NATIVE_UINT64);
  role_ = reader.array<uint8_t>("text/role", H5T_NATIVE_UINT8);
  kind_ = reader.array<uint8_t>("sample/kind", H5T_NATIVE_UINT8);
  const size_t samples = kind_.size();
  const int64_t num_samples = hdf5::read_int_attribute(file, "num_samples", name);
  if (num_samples != static_cast<int64_t>(samples)) {
    reader.refuse("num_samples", std::to_string(samples), std::to_string(num_samples));
  }
  text_length_ = reader.array_of<uint32_t>("sample/text_length", H5T_NATIVE_UINT32, samples);
  const auto offsets = [&](const std::string& dataset, size_t items, uint64_t total) {
    auto values = reader.array_of<uint64_t>(dataset, H5T_NATIVE_UINT64, items + 1);
    reader.check_offsets(dataset, values, total);
    return values;
  };
  media_offset_ = offsets("media/offset", media_digest_.size(), media_bytes);
  size_t uses = media_digest_.size();
  if (version_ == kSharedMediaVersion) {
    media_used_ = reader.array<uint64_t>("sample/media", H5T_NATIVE_UINT64);
    reader.check_uses("sample/media", media_used_, media_digest_.size());
    uses = media_used_.size();
  }
  media_begin_ = offsets("sample/media_begin", samples, uses);
  turn_begin_ = offsets("sample/turn_begin", samples, role_.size());
  key_offset_ = offsets("sample/key_offset", samples, key_bytes);
  text_offset_ = offsets("text/offset", role_.size(), text_bytes);
  reader.check_codes("text/role", role_, kTurnRoles);
  reader.check_codes("sample/kind", kind_, kMediaKinds);
  file.close("cannot close", name);
}

size_t ShardReader::at(int64_t sample) const {
  LYNCEUS_CHECK(sample >= 0 && sample < size(), "sample {} of {} in {}", sample, size(),
                path().string());
  return static_cast<size_t>(sample);
}

int ShardReader::media_count(int64_t sample) const {
  const size_t i = at(sample);
  return static_cast<int>(media_begin_[i + 1] - media_begin_[i]);
}

std::string ShardReader::key(int64_t sample) const {
  const size_t i = at(sample);
  std::string key(static_cast<size_t>(key_offset_[i + 1] - key_offset_[i]), '\0');
  if (!key.empty()) file_.read_at(key_at_ + key_offset_[i], key.data(), key.size());
  return key;
}

std::vector<Turn> ShardReader::turns(int64_t sample) const {
  const size_t i = at(sample);
  const uint64_t begin = text_offset_[turn_begin_[i]];
  std::string text(static_cast<size_t>(text_offset_[turn_begin_[i + 1]] - begin), '\0');
  if (!text.empty()) file_.read_at(text_at_ + begin, text.data(), text.size());
  std::vector<Turn> turns;
  for (uint64_t turn = turn_begin_[i]; turn < turn_begin_[i + 1]; ++turn) {
    turns.push_back(
        {static_cast<TurnRole>(role_[turn]),
         text.substr(text_offset_[turn] - begin, text_offset_[turn + 1] - text_offset_[turn])});
  }
  return turns;
}

int64_t ShardReader::stored_index(int64_t sample, int index) const {
  LYNCEUS_CHECK(index >= 0 && index < media_count(sample), "media {} of {} in sample {} of {}",
                index, media_count(sample), sample, path().string());
  const uint64_t use = media_begin_[at(sample)] + static_cast<uint64_t>(index);
  return static_cast<int64_t>(media_used_.empty() ? use : media_used_[use]);
}

std::string ShardReader::read_media(int64_t sample, int index) const {
  const auto media = static_cast<size_t>(stored_index(sample, index));
  std::string bytes(static_cast<size_t>(media_offset_[media + 1] - media_offset_[media]), '\0');
  if (!bytes.empty()) file_.read_at(media_at_ + media_offset_[media], bytes.data(), bytes.size());
  const uint64_t found = digest64(bytes.data(), bytes.size());
  if (found != media_digest_[media]) {
    throw InputError(
        "{}: sample {} ({}), media {}: digest: expected {:016x}, found {:016x}: "
        "the file is damaged",
        path().string(), sample, key(sample), index, media_digest_[media], found);
  }
  return bytes;
}

}  // namespace lynceus::io
