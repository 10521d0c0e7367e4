// Writes archives for tests: plain files, and hostile entries.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <string>

#include "core/error.h"

namespace lynceus::prepare {

class TarWriter {
 public:
  explicit TarWriter(const std::filesystem::path& path) : archive_(archive_write_new()) {
    archive_write_set_format_pax_restricted(archive_);
    if (path.extension() == ".gz") archive_write_add_filter_gzip(archive_);
    if (path.extension() == ".bz2") archive_write_add_filter_bzip2(archive_);
    if (path.extension() == ".xz") archive_write_add_filter_xz(archive_);
    if (path.extension() == ".zst") archive_write_add_filter_zstd(archive_);
    if (path.extension() == ".lz4") archive_write_add_filter_lz4(archive_);
    if (archive_write_open_filename(archive_, path.c_str()) != ARCHIVE_OK)
      throw InternalError("{}: cannot be written", path.string());
  }
  ~TarWriter() {
    archive_write_close(archive_);
    archive_write_free(archive_);
  }
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  TarWriter& file(const std::string& name, const std::string& bytes) {
    return entry(name, AE_IFREG, bytes);
  }
  TarWriter& symlink(const std::string& name, const std::string& target) {
    return entry(name, AE_IFLNK, "", target.c_str());
  }
  TarWriter& hardlink(const std::string& name, const std::string& target) {
    return entry(name, AE_IFREG, "", nullptr, target.c_str());
  }
  TarWriter& device(const std::string& name) { return entry(name, AE_IFCHR, ""); }
  TarWriter& folder(const std::string& name) { return entry(name, AE_IFDIR, ""); }

 private:
  TarWriter& entry(const std::string& name, unsigned type, const std::string& bytes,
                   const char* symlink = nullptr, const char* hardlink = nullptr) {
    archive_entry* header = archive_entry_new();
    archive_entry_set_pathname(header, name.c_str());
    archive_entry_set_filetype(header, type);
    archive_entry_set_perm(header, 0644);
    archive_entry_set_size(header, static_cast<int64_t>(bytes.size()));
    if (symlink != nullptr) archive_entry_set_symlink(header, symlink);
    if (hardlink != nullptr) archive_entry_set_hardlink(header, hardlink);
    const bool is_written =
        archive_write_header(archive_, header) == ARCHIVE_OK &&
        archive_write_data(archive_, bytes.data(), bytes.size()) == std::ssize(bytes);
    archive_entry_free(header);
    if (!is_written) throw InternalError("{}: {}", name, archive_error_string(archive_));
    return *this;
  }

  archive* archive_;
};

}  // namespace lynceus::prepare
