// Rows of a TSV file as JSON objects of strings, so that one reader serves both formats. A cell is
// the text between two tabs, unchanged: there are no quotes and no escapes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::prepare {

/// The keys of a row are the cells of the first line or, without a header, the column numbers from
/// 1. Same interface as JsonLines.
class TsvLines {
 public:
  TsvLines(const std::filesystem::path& path, bool has_header);

  /// The next row that is not blank. InputError for a row with another number of cells than the
  /// header, or text that is not UTF-8; the next call continues with the next row.
  std::optional<io::Json> next();
  int64_t line_number() const { return lines_.line_number(); }

 private:
  io::Lines lines_;
  std::vector<std::string> names_;  // quoted; empty: columns are numbered
};

}  // namespace lynceus::prepare
