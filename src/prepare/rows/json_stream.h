// The elements of arrays in a JSON file of any size, one at a time (COCO captions, LLaVA
// conversations). Elements are separated by their brackets and quotes, and each is parsed on its
// own, so a malformed element costs one row, as a malformed line of JSONL does. If its brackets or
// quotes do not match, it ends where the next row begins (prepare/rows/json_recovery.h). An element
// has the limits of a JSONL line: 16 MiB, depth 64, valid UTF-8. Also rows that are either such an
// array or one object per line (JSONL).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/files/json.h"

namespace lynceus::prepare {

/// The value of a row, parsed at the first call. InputError if it is malformed.
using JsonRow = std::function<io::Json()>;

/// `array` is the key of the array that the element belongs to.
using JsonElementSink = std::function<void(const std::string& array, const JsonRow& element)>;

struct JsonArrays {
  std::vector<std::string> keys;   ///< of the top-level object, the first 20 and those asked for
  std::vector<std::string> notes;  ///< for the summary: the file ends too early, or what follows an
                                   ///< element could not be divided into elements
};

/// Reads the file once and passes every element of the arrays with the keys `arrays` in the
/// top-level object to `sink`; an empty key is a top-level array. Other members are skipped without
/// storing them. A file without text has no element and no key. InputError with file and position
/// for another structure, and for brackets or quotes outside of `arrays` that do not match.
JsonArrays read_json_elements(const std::filesystem::path& path,
                              const std::vector<std::string>& arrays, const JsonElementSink& sink);

/// The row; RejectedRow "no object" for another value.
io::Json object_of(io::Json row);

/// Rows of a file that is a JSON array (begins with `[`) or has one object per line. Rows
/// pass object_of(). If the first line is an array and the next one a value of its own, each
/// line is a row.
class JsonRows {
 public:
  /// Counts the rows. InputError for a file that is a single object of several lines and for text
  /// after the end of an array, IoError.
  explicit JsonRows(std::filesystem::path path);

  /// Number of array elements or of lines that are not blank.
  int64_t count() const { return count_; }
  /// Of JsonArrays.
  const std::vector<std::string>& notes() const { return notes_; }
  /// Calls `sink` for every row.
  void for_each(const std::function<void(const JsonRow& row)>& sink) const;

 private:
  std::filesystem::path path_;
  bool is_array_ = false;
  int64_t count_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace lynceus::prepare
