#include "io/files/unpacked_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

/// Only filters that libarchive contains: others would start programs.
bool support_filters(archive* handle) {
  constexpr std::array kFilters = {
      archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
      archive_read_support_filter_xz,   archive_read_support_filter_lzma,
      archive_read_support_filter_lzip, archive_read_support_filter_zstd,
      archive_read_support_filter_lz4,  archive_read_support_filter_compress};
  return std::all_of(kFilters.begin(), kFilters.end(),
                     [&](auto support) { return support(handle) == ARCHIVE_OK; });
}

}  // namespace

void UnpackedFile::Close::operator()(archive* handle) const { archive_read_free(handle); }

UnpackedFile::UnpackedFile(const std::filesystem::path& path)
    : file_(File::open(path)), size_(file_.size()) {
  if (size_ == 0) return;
  open_stream();
  if (!has_ended_ && archive_filter_code(unpacker_.get(), 0) == ARCHIVE_FILTER_NONE)
    unpacker_.reset();
}

void UnpackedFile::open_stream() {
  if (::lseek(file_.descriptor(), static_cast<off_t>(start_), SEEK_SET) < 0)
    throw IoError("{}: cannot read from byte {}: {}", path().string(), start_,
                  std::strerror(errno));
  unpacker_.reset(archive_read_new());
  archive_entry* entry = nullptr;
  if (!unpacker_ || !support_filters(unpacker_.get()) ||
      archive_read_support_format_raw(unpacker_.get()) != ARCHIVE_OK ||
      archive_read_support_format_empty(unpacker_.get()) != ARCHIVE_OK ||
      archive_read_open_fd(unpacker_.get(), file_.descriptor(), kBlockBytes) != ARCHIVE_OK)
    damaged();
  const int status = archive_read_next_header(unpacker_.get(), &entry);
  has_ended_ = status == ARCHIVE_EOF;  // it has nothing
  if (!has_ended_ && status != ARCHIVE_OK && status != ARCHIVE_WARN) damaged();
}

bool UnpackedFile::open_next_stream() {
  uint64_t next = position();
  // The filter for lz4 consumes the four bytes by which it sees that no further frame follows.
  if (archive_filter_code(unpacker_.get(), 0) == ARCHIVE_FILTER_LZ4 && next < size_) next -= 4;
  std::string block;
  while (next < size_) {
    block.resize(std::min<uint64_t>(kBlockBytes, size_ - next));
    file_.read_at(next, block.data(), block.size());
    const size_t padding = std::min(block.find_first_not_of('\0'), block.size());
    next += padding;
    if (padding < block.size()) break;
  }
  if (next >= size_) return false;
  if (next <= start_)
    throw InputError("{}: not intact compressed bytes: nothing can be unpacked from byte {}",
                     path().string(), start_);
  start_ = next;
  open_stream();
  return true;
}

void UnpackedFile::damaged() const {
  const char* text = unpacker_ ? archive_error_string(unpacker_.get()) : nullptr;
  throw InputError("{}: not intact compressed bytes: {}", path().string(),
                   text == nullptr ? "no memory" : text);
}

std::span<const char> UnpackedFile::next() {
  if (is_compressed()) return next_unpacked();
  if (offset_ == size_) return {};
  buffer_.resize(std::min<uint64_t>(kBlockBytes, size_ - offset_));
  file_.read_at(offset_, buffer_.data(), buffer_.size());
  offset_ += buffer_.size();
  return buffer_;
}

bool UnpackedFile::fill() {
  while (rest_.empty()) {
    if (has_ended_ && !open_next_stream()) return false;
    if (has_ended_) continue;
    const void* bytes = nullptr;
    size_t size = 0;
    int64_t ignored = 0;
    const int status = archive_read_data_block(unpacker_.get(), &bytes, &size, &ignored);
    if (status != ARCHIVE_OK && status != ARCHIVE_EOF) damaged();
    has_ended_ = status == ARCHIVE_EOF;
    if (!has_ended_) rest_ = {static_cast<const char*>(bytes), size};
  }
  return true;
}

std::span<const char> UnpackedFile::next_unpacked() {
  if (!fill()) return {};
  if (const size_t whole = rest_.size() / kUnitBytes * kUnitBytes; whole > 0) {
    const auto block = rest_.first(whole);
    rest_ = rest_.subspan(whole);
    return block;
  }
  // One unit from the end of this block and the beginning of those after it.
  buffer_.clear();
  while (buffer_.size() < kUnitBytes && fill()) {
    const auto part = rest_.first(std::min(rest_.size(), kUnitBytes - buffer_.size()));
    buffer_.append(part.data(), part.size());
    rest_ = rest_.subspan(part.size());
  }
  return buffer_;
}

uint64_t UnpackedFile::skip(uint64_t bytes) {
  if (is_compressed()) return 0;
  const uint64_t skipped = std::min(bytes, size_ - offset_) / kUnitBytes * kUnitBytes;
  offset_ += skipped;
  return skipped;
}

uint64_t UnpackedFile::position() const {
  if (!is_compressed()) return offset_;
  return start_ + static_cast<uint64_t>(archive_filter_bytes(unpacker_.get(), -1));
}

}  // namespace lynceus::io
