// The bytes of a JSON file, divided into values by their brackets and quotes
// (prepare/rows/json_scanner.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "io/files/file.h"

namespace lynceus::prepare {

class JsonBytes {
 public:
  /// Begins after a byte order mark. InputError for UTF-16 and UTF-32, IoError.
  explicit JsonBytes(const std::filesystem::path& path);

  bool at_end() const { return at_ == buffer_.size(); }
  /// Offset in the file of the next byte.
  uint64_t position() const { return offset_ - buffer_.size() + at_; }
  /// Skips white space; returns the next byte without taking it, 0 at the end.
  char skip_space();
  /// Takes one byte.
  void advance();
  struct Value {
    bool is_whole = true;     ///< false: brackets or quotes do not match at position()
    bool is_short = true;     ///< false: longer than a line may be; the text is incomplete
    uint64_t text_begin = 0;  ///< position at which the last text in it begins
  };
  /// Takes a value, up to the byte after its last bracket or quote; of a number or word all bytes
  /// before the next comma or bracket. Appends it to `text`. A value of more than 64 MiB is not
  /// whole.
  Value take_value(std::string& text);
  /// The same for a value that is not needed; brackets of any kind match.
  void skip_value();
  /// Takes the bytes from `begin` to `end` again; `end` is the new position. False if they are more
  /// than a line may have; `text` is empty then.
  bool take_again(uint64_t begin, uint64_t end, std::string& text);
  const io::File& file() const { return file_; }
  /// The next bytes, for a message.
  std::string found() const;

 private:
  void fill();

  io::File file_;
  uint64_t size_;
  uint64_t offset_;  // of the bytes that are not yet in buffer_
  std::string buffer_;
  size_t at_ = 0;
};

}  // namespace lynceus::prepare
