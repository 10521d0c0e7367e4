// Files as the rest of the house sees them: a descriptor that closes itself, reads and writes that
// are complete or an error (EINTR and short transfers handled), and the two steps that make a write
// durable: fsync of the file, fsync of its directory. Used by every reader and by the checkpoint.
//
// Errors: IoError with the call, the path and the system's text. A file that is shorter than what
// its own header promises is the caller's InputError; read_at only sees an end of file.
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

  /// An existing regular file, read only.
  static File open(const std::filesystem::path& path);
  /// A new or emptied file, written and read.
  static File create(const std::filesystem::path& path);
  /// An existing file, written and read; its contents stay.
  static File open_writable(const std::filesystem::path& path);

  /// A new or existing file, for append() behind what it holds.
  static File open_appending(const std::filesystem::path& path);

  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const;  ///< bytes

  /// Exactly `size` bytes from `offset`. Thread-safe: there is no file position.
  void read_at(uint64_t offset, void* target, size_t size) const;
  /// Exactly `size` bytes at `offset`.
  void write_at(uint64_t offset, const void* source, size_t size);
  /// Exactly `size` bytes behind what append() wrote before.
  void append(const void* source, size_t size);
  /// Grows to `size` bytes that the disk then has; where the file system cannot promise blocks, at
  /// least the limits on a file's size are asked. IoError if they cannot be had.
  void reserve(uint64_t size);
  /// fsync.
  void sync();
  /// Closes and reports; the destructor closes in silence.
  void close();

 private:
  File(int descriptor, std::filesystem::path path);

  int descriptor_ = -1;
  uint64_t end_ = 0;
  std::filesystem::path path_;
};

/// Whether something of that name is there. IoError when that cannot be told.
bool file_exists(const std::filesystem::path& path);

/// Cuts an existing file behind its first `size` bytes.
void truncate_file(const std::filesystem::path& path, uint64_t size);

/// fsync of an existing file or of a directory, by name.
void sync_file(const std::filesystem::path& path);
void sync_directory(const std::filesystem::path& path);

/// rename(2); replaces an existing file.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// rename(2) that fails if `to` exists, whatever it is.
void rename_new(const std::filesystem::path& from, const std::filesystem::path& to);

/// Readers see the old text or the new one, after a crash too: temporary file beside `path`, fsync,
/// rename, fsync of the directory.
void atomic_write_text(const std::filesystem::path& path, std::string_view text);

/// The whole file. A file larger than max_bytes is an InputError, before anything is allocated.
std::string read_text(const std::filesystem::path& path, uint64_t max_bytes = 64ull << 20);

/// A checkout of a repository made without symbolic links has, in the place of each link, a small
/// text file that holds the target's path. If `path` is such a file (at most 4 KiB, one line, a
/// relative path to an existing file) the target's path, otherwise `path` itself. Readers of
/// foreign files open through this.
std::filesystem::path follow_link_text(const std::filesystem::path& path);

}  // namespace lynceus::io
