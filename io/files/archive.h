// Reads tar archives from beginning to end: plain or compressed (io/files/unpacked_file.h), one
// archive or several, one after another, as `cat a.tar b.tar` makes them. Every entry is returned.
// Nothing is extracted to disk.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "io/files/unpacked_file.h"

struct archive;
struct archive_entry;

namespace lynceus::io {

struct ArchiveLimits {
  /// Unpacked size; a small compressed file may claim any size.
  uint64_t max_bytes = 1ull << 40;
};

enum class EntryKind { kFile, kFolder, kLink, kDevice };

class TarReader {
 public:
  /// IoError when the file cannot be opened, InputError when it is not a tar archive. A file of 0
  /// bytes is an archive without entries.
  explicit TarReader(const std::filesystem::path& path, const ArchiveLimits& limits = {});

  /// Moves to the next entry; false at the end. InputError for an archive that is damaged,
  /// truncated or over the limits.
  bool next();
  /// Name of the current entry, as stored in the archive. Do not use it as a path.
  const std::string& name() const { return name_; }
  EntryKind kind() const { return kind_; }
  uint64_t size() const { return size_; }  ///< bytes of the current entry
  /// The bytes of the current entry, a file. Call it at most once per entry, after checking size().
  std::string read();

  /// Bytes of the archive file (compressed bytes of a compressed one) consumed so far.
  uint64_t position() const { return bytes_.position(); }
  /// Number of the archive in the file that the current entry belongs to, from 1.
  int archive_number() const { return archive_number_; }
  /// At the end: false if the last archive has no end mark, because something cut it or its writer
  /// wrote none.
  bool has_end_mark() const { return has_end_mark_; }
  /// At the end: bytes follow the end mark that are no tar archive.
  bool has_other_bytes() const { return has_other_bytes_; }

 private:
  struct Close {
    void operator()(archive* handle) const;
  };
  void open();
  /// False if only zero bytes follow.
  bool open_after_end_mark();
  std::span<const char> next_block();
  [[noreturn]] void damaged() const;
  void refuse_first_header() const;  // returns if it is intact
  void count(uint64_t bytes);
  void take(archive_entry* entry);

  static ssize_t read_callback(archive*, void* self, const void** block);
  static int64_t skip_callback(archive*, void* self, int64_t bytes);

  UnpackedFile bytes_;
  ArchiveLimits limits_;
  std::unique_ptr<archive, Close> archive_;
  std::span<const char> block_;  // of bytes_: the last one that the archive has
  std::string head_;             // the first bytes, unpacked
  uint64_t given_ = 0;           // bytes given to the archive, the end of block_
  bool is_begun_ = false;        // the archive has an entry
  bool again_ = false;           // block_ is given to the next archive
  std::exception_ptr failure_;   // of a callback
  std::string name_;
  EntryKind kind_ = EntryKind::kFile;
  uint64_t size_ = 0;
  uint64_t unpacked_ = 0;
  uint64_t entries_ = 0;  // read so far
  int archive_number_ = 1;
  bool has_end_mark_ = true;
  bool has_other_bytes_ = false;
};

}  // namespace lynceus::io
