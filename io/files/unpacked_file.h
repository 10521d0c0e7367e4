// The bytes of a file from beginning to end, unpacked if the file is compressed. Whether it is, and
// how, is seen from its first bytes, not from its name: gzip, bzip2, xz, lzma, lzip, zstd, lz4 and
// compress (.Z), through libarchive. What follows a compressed stream is read on: another stream of
// the same or another kind, or bytes that are not compressed. Zero bytes between streams are
// padding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "io/files/file.h"

struct archive;

namespace lynceus::io {

class UnpackedFile {
 public:
  static constexpr size_t kUnitBytes = 512;

  /// IoError when the file cannot be opened.
  explicit UnpackedFile(const std::filesystem::path& path);

  /// The next bytes, empty at the end; valid until more are returned. Their number is a multiple
  /// of kUnitBytes except at the end of the file. InputError for damaged compressed bytes.
  std::span<const char> next();
  /// Leaves out at most `bytes` of what follows, a multiple of kUnitBytes. Returns how many; 0 for
  /// a compressed file, which has to be read.
  uint64_t skip(uint64_t bytes);

  bool is_compressed() const { return unpacker_ != nullptr; }
  /// Bytes of the file, as it is on disk, that are read so far.
  uint64_t position() const;
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  struct Close {
    void operator()(archive* handle) const;
  };
  [[noreturn]] void damaged() const;
  std::span<const char> next_unpacked();
  /// Opens what begins at start_.
  void open_stream();
  /// Opens what follows the stream that has ended; false at the end of the file.
  bool open_next_stream();
  /// Makes rest_ not empty; false at the end of the file.
  bool fill();

  File file_;
  uint64_t size_;
  uint64_t offset_ = 0;                       // of the next bytes of a file that is not compressed
  uint64_t start_ = 0;                        // of the stream that is unpacked, in the file
  bool has_ended_ = false;                    // the stream that is unpacked
  std::unique_ptr<archive, Close> unpacker_;  // null: the file is not compressed
  std::span<const char> rest_;                // unpacked bytes that are not yet returned
  std::string buffer_;
};

}  // namespace lynceus::io
