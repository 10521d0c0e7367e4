// A tar archive, plain or gzip, read from begin to end and never extracted: only regular files come
// out, as names and bytes. Links, devices and folders are passed over. Used by `prepare
// webdataset`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

struct archive;
struct archive_entry;

namespace lynceus::io {

struct ArchiveLimits {
  /// Of all entries together, unpacked: a small gzip file may claim any amount.
  uint64_t max_bytes = 1ull << 40;
};

class TarReader {
 public:
  /// IoError when the file cannot be opened, InputError when it is no tar archive.
  explicit TarReader(const std::filesystem::path& path, const ArchiveLimits& limits = {});

  /// Goes to the next regular file; false at the end. InputError for a damaged or truncated archive
  /// and for one over the limits.
  bool next();
  /// Of the entry at hand, as the archive has it: not to be used as a path.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// The bytes of the entry at hand, at most once; the caller has looked at size().
  std::string read();
  /// Bytes of the file (packed, if it is) consumed so far.
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
