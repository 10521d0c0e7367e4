// Reads the lines of a text file of any size. A line has at most 16 MiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "io/files/file.h"

namespace lynceus::io {

class Lines {
 public:
  static constexpr uint64_t kMaxBytes = 16ull << 20;

  /// Skips a byte order mark. ForeignFile for UTF-16, packed data, a web page and the like
  /// (core/text/foreign_file.h).
  explicit Lines(const std::filesystem::path& path);

  /// Reads the next line without its newline; false after the last. InputError for a line that is
  /// too long; the next call continues with the line after it.
  bool next(std::string& line);
  /// Number of the line that next() returned or refused last, counted from 1.
  int64_t line_number() const { return line_number_; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  bool fill();

  File file_;
  uint64_t size_;
  uint64_t offset_;  // in the file, of the first byte not yet in buffer_
  std::string buffer_;
  size_t begin_ = 0;  // in buffer_, of the next line
  int64_t line_number_ = 0;
};

/// Offset of the first byte after a byte order mark. InputError for UTF-16 and UTF-32.
uint64_t text_begin(const File& file);

/// Number of lines of a file, including blank ones.
int64_t count_lines(const std::filesystem::path& path);

/// Number of lines with another character than spaces.
int64_t count_filled_lines(const std::filesystem::path& path);

bool is_blank(std::string_view line);

}  // namespace lynceus::io
