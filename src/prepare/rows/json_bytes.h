// The bytes of a JSON file, divided into values by counting brackets and quotes. What is between
// them is not checked: that is left to the parser of each value.
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
  /// Takes a value, up to the byte after its last bracket or quote; of a number or word all bytes
  /// before the next comma or bracket. Appends it to `text` unless that is null. False if the value
  /// is longer than a line may be (io::Lines::kMaxBytes); it is taken, but its text is incomplete.
  bool take_value(std::string* text);
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
