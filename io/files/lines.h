// The lines of a text file of any size, each at most 16 MiB long. Used by the readers of JSONL and
// TSV.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/files/file.h"

namespace lynceus::io {

class Lines {
 public:
  static constexpr uint64_t kMaxBytes = 16ull << 20;

  explicit Lines(const std::filesystem::path& path);

  /// The next line without its end; false behind the last. InputError for a line that is too long;
  /// the next call goes on with the line behind it.
  bool next(std::string& line);
  /// Of the line that next() gave or refused last, from 1.
  int64_t line_number() const { return line_number_; }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  bool fill();

  File file_;
  uint64_t size_;
  uint64_t offset_ = 0;  // of what is not yet in buffer_
  std::string buffer_;
  size_t begin_ = 0;  // of what is not yet taken from buffer_
  int64_t line_number_ = 0;
};

/// Lines of a file, the blank ones too.
int64_t count_lines(const std::filesystem::path& path);

}  // namespace lynceus::io
