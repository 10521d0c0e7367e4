#include "io/files/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include "core/error.h"
#include "core/foreign_file.h"
#include "io/files/file.h"

namespace lynceus::io {
namespace {

constexpr size_t kBlockBytes = 1 << 20;

}  // namespace

void TarReader::Close::operator()(archive* handle) const { archive_read_free(handle); }

TarReader::TarReader(const std::filesystem::path& path, const ArchiveLimits& limits)
    : path_(path), limits_(limits), archive_(archive_read_new()) {
  File::open(path);  // reports why a file cannot be opened
  if (!archive_ || archive_read_support_filter_gzip(archive_.get()) != ARCHIVE_OK ||
      archive_read_support_format_tar(archive_.get()) != ARCHIVE_OK ||
      archive_read_open_filename(archive_.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK)
    damaged();
}

void TarReader::damaged() const {
  if (name_.empty()) {
    refuse_foreign(File::open(path_).head(kForeignHeadBytes), path_.string(), "a tar archive");
  }
  const char* text = archive_ ? archive_error_string(archive_.get()) : nullptr;
  throw InputError("{}: not an intact tar archive{}{}: {}", path_.string(),
                   name_.empty() ? "" : ", at or after entry ", name_.substr(0, 200),
                   text == nullptr ? "no memory" : text);
}

void TarReader::count(uint64_t bytes) {
  if (bytes > limits_.max_bytes - unpacked_)
    throw InputError("{}: expected entries of at most {} bytes in total, found more",
                     path_.string(), limits_.max_bytes);
  unpacked_ += bytes;
}

bool TarReader::next() {
  while (true) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF) return false;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) damaged();
    const int64_t size = archive_entry_size(entry);
    if (size < 0) damaged();
    count(static_cast<uint64_t>(size));
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr ||
        archive_entry_symlink(entry) != nullptr)
      continue;
    const char* name = archive_entry_pathname(entry);
    if (name == nullptr) name = archive_entry_pathname_utf8(entry);
    name_ = name == nullptr ? "" : name;
    size_ = static_cast<uint64_t>(size);
    return true;
  }
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

uint64_t TarReader::position() const {
  return static_cast<uint64_t>(archive_filter_bytes(archive_.get(), -1));
}

}  // namespace lynceus::io
