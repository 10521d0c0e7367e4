#include "io/files/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/text/foreign_file.h"

namespace lynceus::io {
namespace {

bool is_zero(std::span<const char> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

/// At byte 257 of the header, of POSIX and of old GNU tar.
bool has_tar_magic(std::string_view header) {
  constexpr size_t kMagicAt = 257;
  return header.size() > kMagicAt && header.substr(kMagicAt).starts_with("ustar");
}

/// The checksum at byte 148: the sum of all bytes with spaces in its place, octal.
bool has_checksum(std::string_view header) {
  constexpr size_t kAt = 148;
  constexpr size_t kBytes = 8;
  if (header.size() < UnpackedFile::kUnitBytes) return false;
  uint64_t sum = kBytes * ' ';
  uint64_t stored = 0;
  for (size_t i = 0; i < UnpackedFile::kUnitBytes; ++i) {
    const auto byte = static_cast<unsigned char>(header[i]);
    if (i < kAt || i >= kAt + kBytes)
      sum += byte;
    else if (byte >= '0' && byte <= '7')
      stored = 8 * stored + (byte - '0');
  }
  return sum == stored;
}

EntryKind kind_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr)
    return EntryKind::kLink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return EntryKind::kFile;
    case AE_IFDIR:
      return EntryKind::kFolder;
    case AE_IFLNK:
      return EntryKind::kLink;
    default:
      return EntryKind::kDevice;
  }
}

}  // namespace

void TarReader::Close::operator()(archive* handle) const { archive_read_free(handle); }

TarReader::TarReader(const std::filesystem::path& path, const ArchiveLimits& limits)
    : bytes_(path), limits_(limits) {
  block_ = next_block();
  again_ = true;
  if (block_.empty()) return;  // an empty file
  head_.assign(block_.data(), std::min(block_.size(), kForeignHeadBytes));
  open();
}

/// A new archive that begins with block_.
void TarReader::open() {
  archive_.reset(archive_read_new());
  given_ = 0;
  is_begun_ = false;
  if (!archive_ || archive_read_support_format_tar(archive_.get()) != ARCHIVE_OK ||
      archive_read_open2(archive_.get(), this, nullptr, &TarReader::read_callback,
                         &TarReader::skip_callback, nullptr) != ARCHIVE_OK) {
    if (archive_number_ == 1 || failure_) damaged();
    has_other_bytes_ = true;
  }
}

ssize_t TarReader::read_callback(archive* /*handle*/, void* self, const void** block) {
  auto& reader = *static_cast<TarReader*>(self);
  try {
    if (!std::exchange(reader.again_, false)) {
      const std::span<const char> next = reader.next_block();
      if (next.empty()) return 0;  // block_ may have bytes that are not consumed
      reader.block_ = next;
    }
  } catch (...) {
    reader.failure_ = std::current_exception();
    return ARCHIVE_FATAL;
  }
  reader.given_ += reader.block_.size();
  *block = reader.block_.data();
  return static_cast<ssize_t>(reader.block_.size());
}

int64_t TarReader::skip_callback(archive* /*handle*/, void* self, int64_t bytes) {
  auto& reader = *static_cast<TarReader*>(self);
  if (reader.again_) return 0;
  const uint64_t skipped = reader.bytes_.skip(static_cast<uint64_t>(bytes));
  if (skipped > 0) reader.block_ = {};
  reader.given_ += skipped;
  return static_cast<int64_t>(skipped);
}

/// libarchive only says that it does not recognise the format.
void TarReader::refuse_first_header() const {
  const std::string file = bytes_.path().string();
  const bool is_tar = has_tar_magic(head_);
  if (!is_tar) refuse_foreign(head_, file, "a tar archive");
  if (has_checksum(head_)) return;  // what follows it is damaged
  const char* found = head_.size() < UnpackedFile::kUnitBytes ? "fewer bytes"
                      : is_tar                                ? "one with another checksum"
                                                              : "bytes that are no header";
  throw InputError(
      "{}: not an intact tar archive: expected the header of its first entry at byte 0{}, {} bytes "
      "with their checksum, found {}",
      file, bytes_.is_compressed() ? " of the unpacked data" : "", UnpackedFile::kUnitBytes, found);
}

void TarReader::damaged() const {
  if (failure_) std::rethrow_exception(failure_);
  if (entries_ == 0) refuse_first_header();
  const char* text = archive_ ? archive_error_string(archive_.get()) : nullptr;
  throw InputError("{}: not an intact tar archive{}{}: {}", bytes_.path().string(),
                   name_.empty() ? ", before its first entry" : ", at or after entry ",
                   name_.substr(0, 200), text == nullptr ? "no memory" : text);
}

void TarReader::count(uint64_t bytes) {
  if (bytes > limits_.max_bytes - unpacked_)
    throw InputError("{}: expected entries of at most {} bytes in total, found more",
                     bytes_.path().string(), limits_.max_bytes);
  unpacked_ += bytes;
}

std::span<const char> TarReader::next_block() {
  const std::span<const char> block = bytes_.next();
  if (bytes_.is_compressed()) count(block.size());
  return block;
}

bool TarReader::next() {
  while (archive_) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_OK || status == ARCHIVE_WARN) {
      is_begun_ = true;
      take(entry);
      return true;
    }
    if (status == ARCHIVE_EOF) {
      if (open_after_end_mark()) continue;
    } else if (is_begun_ || archive_number_ == 1 || failure_) {
      damaged();
    } else {  // its first header is damaged
      has_other_bytes_ = true;
    }
    archive_.reset();
  }
  return false;
}

void TarReader::take(archive_entry* entry) {
  ++entries_;
  const int64_t size = archive_entry_size(entry);
  if (size < 0) damaged();
  if (!bytes_.is_compressed()) count(static_cast<uint64_t>(size));
  const char* name = archive_entry_pathname(entry);
  if (name == nullptr) name = archive_entry_pathname_utf8(entry);
  name_ = name == nullptr ? "" : name;
  kind_ = kind_of(entry);
  size_ = static_cast<uint64_t>(size);
}

bool TarReader::open_after_end_mark() {
  const auto consumed = static_cast<uint64_t>(archive_filter_bytes(archive_.get(), 0));
  has_end_mark_ = std::cmp_greater(consumed, archive_read_header_position(archive_.get()));
  LYNCEUS_CHECK(consumed <= given_ && given_ - consumed <= block_.size(),
                "{} bytes of an archive consumed of {}", consumed, given_);
  block_ = block_.last(given_ - consumed);
  while (true) {  // zero bytes fill up the last record of an archive
    if (block_.empty()) block_ = next_block();
    if (block_.empty()) return false;
    const auto unit = block_.first(std::min(block_.size(), UnpackedFile::kUnitBytes));
    if (!is_zero(unit)) break;
    block_ = block_.subspan(unit.size());
  }
  again_ = true;
  ++archive_number_;
  open();
  return !has_other_bytes_;
}

std::string TarReader::read() {
  std::string bytes(static_cast<size_t>(size_), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const la_ssize_t got =
        archive_read_data(archive_.get(), bytes.data() + done, bytes.size() - done);
    if (got <= 0) damaged();
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace lynceus::io
