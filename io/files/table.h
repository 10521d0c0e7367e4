// Rows of TSV and CSV files as JSON objects of strings, so that one reader serves all formats.
//
// TSV: a cell is the text between two tabs, unchanged: there are no quotes and no escapes.
// CSV: RFC 4180. Cells are separated by commas. A cell in double quotes may contain commas, line
// ends and doubled quotes, which stand for one. A quote inside an unquoted cell is a character.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/json.h"
#include "io/files/lines.h"

namespace lynceus::io {

enum class TableFormat { kTsv, kCsv };

/// The keys of a row are the cells of the first line or, without a header, the column numbers from
/// 1. Same interface as JsonLines.
class TableRows {
 public:
  /// InputError if the header is malformed or has a name twice. Columns without a name are not
  /// read.
  TableRows(const std::filesystem::path& path, TableFormat format, bool has_header);

  /// The next row that is not blank. InputError for a row with another number of cells than the
  /// header, a quoted cell that does not end, or text that is not UTF-8; the next call continues
  /// with the next row. A malformed row ends with its first line, so a stray quote costs one line.
  std::optional<Json> next();
  /// Of the last line of the row.
  int64_t line_number() const { return line_number_; }
  /// The cells of the header.
  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Line {
    std::string text;
    int64_t number = 0;
    bool is_again = false;  // part of an earlier row that was malformed
  };
  std::optional<Line> next_line();
  std::vector<std::string> read_cells(const Line& first);
  std::vector<std::string> read_csv(const Line& first);
  std::string where(int64_t line) const;
  /// A line of empty cells is a row of TSV, no blank line.
  bool has_tab(std::string_view line) const;

  Lines lines_;
  TableFormat format_;
  std::deque<Line> pending_;  // to be read again
  std::vector<Line> taken_;   // further lines of the current row
  int64_t line_number_ = 0;
  std::vector<std::string> names_;  // empty: columns are numbered
  std::vector<std::string> keys_;   // the same as JSON
};

}  // namespace lynceus::io
