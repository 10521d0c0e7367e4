// The elements of arrays in a JSON file of any size, one at a time (COCO captions, LLaVA
// conversations). An element has the limits of a JSONL line: 16 MiB, depth 64, valid UTF-8. Also
// rows that are either such an array or one object per line (JSONL).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/files/json.h"
#include "prepare/source.h"

namespace lynceus::prepare {

/// `array` is the key of the array that the element belongs to.
using JsonElementSink = std::function<void(const std::string& array, const io::Json& element)>;

/// Reads the file once and passes every element of the arrays with the keys `arrays` in the
/// top-level object to `sink`; an empty key is a top-level array. Other members are skipped without
/// storing them. InputError with file and position for malformed JSON, for another structure and
/// for an element over the limits: the rest of the file cannot be trusted then.
void read_json_elements(const std::filesystem::path& path, const std::vector<std::string>& arrays,
                        const JsonElementSink& sink);

/// Rows of a file that is a JSON array (begins with `[`) or has one object per line.
class JsonRows {
 public:
  /// Counts the rows, so that a damaged array is found before any work. InputError, IoError.
  explicit JsonRows(std::filesystem::path path);

  /// Number of array elements or of lines that are not blank.
  int64_t count() const { return count_; }
  /// As Source::read. `make` turns row `index` (from 0) into samples.
  void read_from(
      int64_t skip, const RowSink& sink,
      const std::function<std::vector<io::Sample>(const io::Json& row, int64_t index)>& make) const;
  /// Calls `sink` for every row. `value` returns the row, or throws InputError for a malformed
  /// line.
  void for_each(const std::function<void(const std::function<io::Json()>& value)>& sink) const;

 private:
  std::filesystem::path path_;
  bool is_array_ = false;
  int64_t count_ = 0;
};

}  // namespace lynceus::prepare
