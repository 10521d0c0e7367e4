#include "io/files/zip_entries.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>

#include "core/check.h"
#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint64_t kLocalBytes = 30;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kLocator64Bytes = 20;
constexpr uint64_t kMaxDirectoryBytes = 16ull << 20;
constexpr uint16_t kEncrypted = 1;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kIs64In16 = 0xFFFF;      // two bytes: the value is in the zip64 field
constexpr uint32_t kIs64In32 = 0xFFFFFFFF;  // the same for four bytes

/// Little-endian number in a block whose size the caller has checked.
template <typename T>
T number_at(std::string_view block, uint64_t offset) {
  LYNCEUS_CHECK(offset + sizeof(T) <= block.size(), "{} of {}", offset, block.size());
  T value;
  std::memcpy(&value, block.data() + offset, sizeof(T));
  return value;
}
uint16_t u16(std::string_view block, uint64_t offset) { return number_at<uint16_t>(block, offset); }
uint32_t u32(std::string_view block, uint64_t offset) { return number_at<uint32_t>(block, offset); }
uint64_t u64(std::string_view block, uint64_t offset) { return number_at<uint64_t>(block, offset); }

std::string shown(std::string_view name) {
  std::string text(name.substr(0, 200));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  return text;
}

class ZipReader {
 public:
  explicit ZipReader(const File& file) : file_(file), size_(file.size()) {}

  std::vector<ZipEntry> entries() {
    find_directory();
    std::string directory(directory_size_, '\0');
    file_.read_at(directory_begin_, directory.data(), directory.size());
    std::string_view rest = directory;
    std::vector<ZipEntry> entries;
    std::set<std::string> names;
    while (!rest.empty()) {
      entries.push_back(take_entry(&rest));
      if (!names.insert(entries.back().name).second)
        fail("entry '{}' appears twice", shown(entries.back().name));
    }
    if (entries.size() != count_)
      fail("the end record claims {} entries, the directory has {}", count_, entries.size());
    refuse_overlap();
    return entries;
  }

 private:
  struct Span {
    uint64_t begin;  // of the local header
    uint64_t end;    // of the contents
    std::string name;
  };

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    throw InputError("{}: cannot be read as a zip archive: {}", file_.path().string(),
                     fmt::format(format, std::forward<Args>(args)...));
  }

  std::string block(uint64_t offset, uint64_t bytes, const char* what) const {
    if (offset > size_ || bytes > size_ - offset)
      fail("truncated: {} at byte {} does not fit into a file of {} bytes", what, offset, size_);
    std::string text(bytes, '\0');
    file_.read_at(offset, text.data(), text.size());
    return text;
  }

  /// Only a comment of at most 65,535 bytes may follow the end record.
  uint64_t find_end(std::string* end) const {
    if (size_ < kEndBytes)
      fail("found {} bytes, expected at least the {} of the end record", size_, kEndBytes);
    const uint64_t tail_bytes = std::min<uint64_t>(size_, kEndBytes + 0xFFFF);
    const std::string tail = block(size_ - tail_bytes, tail_bytes, "the end record");
    for (uint64_t at = tail_bytes - kEndBytes + 1; at-- > 0;) {
      if (u32(tail, at) != kEndSignature || u16(tail, at + 20) != tail_bytes - at - kEndBytes)
        continue;
      *end = tail.substr(at, kEndBytes);
      return size_ - tail_bytes + at;
    }
    fail("truncated or not a zip archive: no end record");
  }

  void find_directory() {
    std::string end;
    uint64_t limit = find_end(&end);
    const uint64_t end_begin = limit;
    count_ = u16(end, 10);
    directory_size_ = u32(end, 12);
    directory_begin_ = u32(end, 16);
    bool one_disk = u16(end, 4) == 0 && u16(end, 6) == 0 && u16(end, 8) == u16(end, 10);
    if (const auto end64 = find_end64(end_begin, &limit)) {
      count_ = u64(*end64, 32);
      directory_size_ = u64(*end64, 40);
      directory_begin_ = u64(*end64, 48);
      one_disk = u32(*end64, 16) == 0 && u32(*end64, 20) == 0 && u64(*end64, 24) == count_;
    } else if (count_ == kIs64In16 || directory_size_ == kIs64In32 ||
               directory_begin_ == kIs64In32) {
      fail("the end record refers to a zip64 record, which is missing");
    }
    if (!one_disk) fail("it is one part of a multi-part archive");
    if (directory_size_ > kMaxDirectoryBytes)
      fail("found a directory of {} bytes, expected at most {}", directory_size_,
           kMaxDirectoryBytes);
    if (directory_begin_ > limit || directory_size_ > limit - directory_begin_)
      fail("the directory, {} bytes at {}, reaches past byte {}", directory_size_, directory_begin_,
           limit);
    // This limits the number of entries before memory is allocated for them.
    if (count_ > directory_size_ / kCentralBytes)
      fail("the end record claims {} entries in a directory of {} bytes", count_, directory_size_);
  }

  /// The zip64 end record, if there is a locator before the end record; sets `limit` to its offset.
  std::optional<std::string> find_end64(uint64_t end_begin, uint64_t* limit) const {
    if (end_begin < kLocator64Bytes) return std::nullopt;
    const std::string locator = block(end_begin - kLocator64Bytes, kLocator64Bytes, "the locator");
    if (u32(locator, 0) != kLocator64Signature) return std::nullopt;
    *limit = u64(locator, 8);
    if (u32(locator, 4) != 0 || u32(locator, 16) > 1)
      fail("it is one part of a multi-part archive");
    if (*limit > end_begin - kLocator64Bytes || kEnd64Bytes > end_begin - kLocator64Bytes - *limit)
      fail("the zip64 record at byte {} reaches past byte {}", *limit, end_begin - kLocator64Bytes);
    std::string end64 = block(*limit, kEnd64Bytes, "the zip64 record");
    if (u32(end64, 0) != kEnd64Signature) fail("no zip64 record at byte {}", *limit);
    return end64;
  }

  /// Removes the first entry from `rest` and returns it.
  ZipEntry take_entry(std::string_view* rest) {
    if (rest->size() < kCentralBytes || u32(*rest, 0) != kCentralSignature)
      fail("{} bytes of the directory are not an entry", rest->size());
    const uint64_t name_bytes = u16(*rest, 28);
    const uint64_t extra_bytes = u16(*rest, 30);
    const uint64_t bytes = kCentralBytes + name_bytes + extra_bytes + u16(*rest, 32);
    if (bytes > rest->size()) fail("an entry reaches past the end of the directory");
    ZipEntry entry;
    entry.name = rest->substr(kCentralBytes, name_bytes);
    const uint16_t flags = u16(*rest, 8);
    const uint16_t method = u16(*rest, 10);
    uint64_t stored = u32(*rest, 20);
    entry.size = u32(*rest, 24);
    uint64_t header = u32(*rest, 42);
    read_extra64(entry.name, rest->substr(kCentralBytes + name_bytes, extra_bytes), &entry.size,
                 &stored, &header);
    if (flags & kEncrypted) fail("entry '{}' is encrypted", shown(entry.name));
    if (method != 0)
      fail(
          "entry '{}' is compressed (method {}), expected stored bytes; torch compresses only "
          "TorchScript programs: save their state_dict() instead",
          shown(entry.name), method);
    if (stored != entry.size)
      fail("entry '{}' has {} bytes but stores {}", shown(entry.name), entry.size, stored);
    locate(header, &entry);
    rest->remove_prefix(bytes);
    return entry;
  }

  /// Reads the numbers that do not fit into four bytes. They are stored in the order of `fields`,
  /// and only if the four-byte field is kIs64In32.
  void read_extra64(const std::string& name, std::string_view extra, uint64_t* size,
                    uint64_t* stored, uint64_t* header) const {
    std::array<uint64_t*, 3> fields = {size, stored, header};
    while (extra.size() >= 4) {
      const uint16_t kind = u16(extra, 0);
      const uint64_t bytes = u16(extra, 2);
      if (bytes > extra.size() - 4)
        fail("an extra field of entry '{}' reaches past its end", shown(name));
      std::string_view content = extra.substr(4, bytes);
      extra.remove_prefix(4 + bytes);
      if (kind != kZip64Extra) continue;
      for (uint64_t* field : fields) {
        if (*field != kIs64In32) continue;
        if (content.size() < 8) fail("the zip64 field of entry '{}' is too short", shown(name));
        *field = u64(content, 0);
        content.remove_prefix(8);
      }
      return;
    }
    for (const uint64_t* field : fields)
      if (*field == kIs64In32) fail("entry '{}' has no zip64 field", shown(name));
  }

  void locate(uint64_t header, ZipEntry* entry) {
    if (header > directory_begin_ || kLocalBytes > directory_begin_ - header)
      fail("entry '{}' at byte {} reaches into the directory at {}", shown(entry->name), header,
           directory_begin_);
    const std::string local = block(header, kLocalBytes, "a local header");
    if (u32(local, 0) != kLocalSignature)
      fail("entry '{}': no local header at byte {}", shown(entry->name), header);
    const uint64_t name_bytes = u16(local, 26);
    entry->begin = header + kLocalBytes + name_bytes + u16(local, 28);
    if (entry->begin > directory_begin_ || entry->size > directory_begin_ - entry->begin)
      fail("entry '{}', {} bytes at {}, reaches into the directory at {}", shown(entry->name),
           entry->size, entry->begin, directory_begin_);
    const std::string name = block(header + kLocalBytes, name_bytes, "a local name");
    if (name != entry->name)
      fail("entry '{}' is called '{}' in its local header", shown(entry->name), shown(name));
    spans_.push_back({header, entry->begin + entry->size, entry->name});
  }

  void refuse_overlap() {
    std::sort(spans_.begin(), spans_.end(),
              [](const Span& a, const Span& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < spans_.size(); ++i)
      if (spans_[i].begin < spans_[i - 1].end)
        fail("entries '{}' and '{}' overlap", shown(spans_[i - 1].name), shown(spans_[i].name));
  }

  const File& file_;
  uint64_t size_;
  uint64_t count_ = 0;
  uint64_t directory_begin_ = 0;
  uint64_t directory_size_ = 0;
  std::vector<Span> spans_;
};

}  // namespace

bool is_zip(const File& file) {
  uint32_t signature = 0;
  if (file.size() < sizeof(signature)) return false;
  file.read_at(0, &signature, sizeof(signature));
  return signature == kLocalSignature || signature == kEndSignature;
}

std::vector<ZipEntry> read_zip_entries(const File& file) { return ZipReader(file).entries(); }

}  // namespace lynceus::io
