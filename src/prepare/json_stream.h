// The elements of the arrays of a JSON file of any size, one at a time: captions of COCO, LLaVA's
// conversations. An element is held to the limits of a JSONL line: 16 MiB, depth 64, valid UTF-8.
// Also rows that come either as such an array or one object a line (JSONL).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/files/json.h"
#include "prepare/source.h"

namespace lynceus::prepare {

/// `array`: the name of the member the element belongs to.
using JsonElementSink = std::function<void(const std::string& array, const io::Json& element)>;

/// Reads the file once, from begin to end, and gives every element of those members of its
/// top-level object that `arrays` names; an empty name stands for a top-level array. Other members
/// are skipped and never kept. InputError naming file and position for malformed JSON, another
/// shape, and an element over the limits: what stands behind it cannot be trusted.
void read_json_elements(const std::filesystem::path& path, const std::vector<std::string>& arrays,
                        const JsonElementSink& sink);

/// Rows of a file that begins with `[` (an array of them) or holds one object a line.
class JsonRows {
 public:
  /// Counts the rows, so that a damaged array is told before any work. InputError, IoError.
  explicit JsonRows(std::filesystem::path path);

  /// Elements of the array, or lines that are not blank.
  int64_t count() const { return count_; }
  /// As Source::read; `make` turns row `index` (from 0) into samples.
  void read_from(
      int64_t skip, const RowSink& sink,
      const std::function<std::vector<io::Sample>(const io::Json& row, int64_t index)>& make) const;
  /// Every row; `value` gives it, or throws InputError for a malformed line.
  void for_each(const std::function<void(const std::function<io::Json()>& value)>& sink) const;

 private:
  std::filesystem::path path_;
  bool is_array_ = false;
  int64_t count_ = 0;
};

}  // namespace lynceus::prepare
