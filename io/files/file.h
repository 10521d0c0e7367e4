// RAII wrapper of a POSIX file descriptor. Reads and writes are complete or throw; EINTR and short
// transfers are handled. To make a write durable, sync the file, then its directory.
//
// Errors: IoError with the call, the path and the system's text. At the end of the file read_at()
// throws IoError. A caller that finds a file shorter than its header says throws InputError
// instead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace lynceus::io {

class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  /// Opens an existing regular file for reading. Symbolic links are followed, and so is a text file
  /// of one line such as ../../blobs/DIGEST: it is what remains of a link of a Hugging Face cache
  /// where there are no links. IoError for a link of either kind to a file that does not exist,
  /// ForeignFile for a Git LFS pointer.
  static File open(const std::filesystem::path& path);
  /// The same, but a small text file is only a text file.
  static File open_regular(const std::filesystem::path& path);
  /// Creates or truncates a file, for writing and reading.
  static File create(const std::filesystem::path& path);
  /// Opens an existing file for writing and reading; its contents are kept.
  static File open_writable(const std::filesystem::path& path);
  /// Opens or creates a file for append() after its contents.
  static File open_appending(const std::filesystem::path& path);

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const;  ///< bytes

  /// Reads exactly `size` bytes at `offset`. Thread-safe: there is no file position.
  void read_at(uint64_t offset, void* target, size_t size) const;
  /// Writes exactly `size` bytes at `offset`.
  void write_at(uint64_t offset, const void* source, size_t size);
  /// Writes exactly `size` bytes after those of the last append(). The first append() starts at
  /// byte 0, or after the contents if the file was opened with open_appending().
  void append(const void* source, size_t size);
  /// Grows the file to `size` bytes and allocates disk blocks for them. If the file system cannot
  /// allocate in advance, only the size is set, which checks the limits on file sizes. IoError on
  /// failure.
  void reserve(uint64_t size);
  /// fsync.
  void sync();
  /// Closes and throws on error; the destructor ignores errors.
  void close();
  /// The first bytes, at most `most`.
  std::string head(size_t most) const;

 private:
  File(int descriptor, std::filesystem::path path);

  int descriptor_ = -1;
  uint64_t end_ = 0;
  std::filesystem::path path_;
};

/// Whether the path exists, as a file of any type. IoError if that cannot be determined.
bool file_exists(const std::filesystem::path& path);
/// InputError "PATH: expected WHAT, found no such file" (or a link to nothing) unless it exists.
void expect_file(const std::filesystem::path& path, std::string_view what);

/// Truncates an existing file to its first `size` bytes.
void truncate_file(const std::filesystem::path& path, uint64_t size);

/// fsync of an existing file or of a directory, by name.
void sync_file(const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);

/// rename(2); replaces an existing file.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// rename(2) that fails if `to` exists, as a file of any type.
void rename_new(const std::filesystem::path& from, const std::filesystem::path& to);

/// Readers see either the old or the new text, also after a crash: writes a temporary file in the
/// same directory, then fsync, rename, fsync of the directory.
void atomic_write_text(const std::filesystem::path& path, std::string_view text);

/// Reads a file. InputError for a file of more than max_bytes, before anything is allocated.
std::string read_text(const std::filesystem::path& path, uint64_t max_bytes = 64ull << 20);

/// A repository that was checked out without symbolic links has a small text file with the target's
/// path in place of each link. Returns the target's path if `path` is such a file (at most 4 KiB,
/// one line, a relative path to an existing file), otherwise `path`.
std::filesystem::path follow_link_text(const std::filesystem::path& path);

}  // namespace lynceus::io
