// Reads a tar archive, plain or gzip, from beginning to end. Regular files are returned as names
// and bytes; links, devices and folders are skipped. Nothing is extracted to disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

struct archive;
struct archive_entry;

namespace lynceus::io {

struct ArchiveLimits {
  /// Unpacked size of all entries; a small gzip file may claim any size.
  uint64_t max_bytes = 1ull << 40;
};

class TarReader {
 public:
  /// IoError when the file cannot be opened, InputError when it is not a tar archive.
  explicit TarReader(const std::filesystem::path& path, const ArchiveLimits& limits = {});

  /// Moves to the next regular file; false at the end. InputError for an archive that is damaged,
  /// truncated or over the limits.
  bool next();
  /// Name of the current entry, as stored in the archive. Do not use it as a path.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }  ///< bytes of the current entry
  /// The bytes of the current entry. Call it at most once per entry, after checking size().
  std::string read();
  /// Bytes of the archive file (compressed bytes for gzip) consumed so far.
  uint64_t position() const;

 private:
  struct Close {
    void operator()(archive* handle) const;
  };
  [[noreturn]] void damaged() const;
  void count(uint64_t bytes);

  std::filesystem::path path_;
  ArchiveLimits limits_;
  std::unique_ptr<archive, Close> archive_;
  std::string name_;
  uint64_t size_ = 0;
  uint64_t unpacked_ = 0;
};

}  // namespace lynceus::io
