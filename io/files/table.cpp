#include "io/files/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr size_t kMaxQuotedBytes = 1 << 20;  // of a row of several lines

std::vector<std::string> split_at_tabs(std::string line) {
  if (line.ends_with('\r')) line.pop_back();
  std::vector<std::string> cells;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

/// A row of CSV, line by line.
class CsvRow {
 public:
  /// `strict`: a quote inside an unquoted cell is a fault too.
  explicit CsvRow(bool strict) : strict_(strict) {}

  /// Adds a line; a line end stands before every line but the first. False if a fault was found.
  bool add(const std::string& line) {
    if (place_ == Place::kQuoted) cells_.back() += '\n';
    for (size_t i = 0; i < line.size(); ++i) {
      const bool ends = i + 1 == line.size() && line[i] == '\r' && place_ != Place::kQuoted;
      if (!ends && !add(line[i])) return false;
    }
    if (place_ == Place::kQuote) place_ = Place::kText;
    return true;
  }
  bool is_complete() const { return place_ != Place::kQuoted; }
  std::vector<std::string> take() { return std::move(cells_); }

 private:
  // At the beginning of a cell, in an unquoted one, in a quoted one, after a quote in a quoted one.
  enum class Place { kBegin, kText, kQuoted, kQuote };

  bool add(char c) {
    if (place_ == Place::kQuoted) {
      if (c == '"')
        place_ = Place::kQuote;
      else
        cells_.back() += c;
      return true;
    }
    if (c == ',') {
      cells_.emplace_back();
      place_ = Place::kBegin;
      return true;
    }
    if (c == '"' && place_ != Place::kText) {
      if (place_ == Place::kQuote) cells_.back() += c;
      place_ = Place::kQuoted;
      return true;
    }
    if (place_ == Place::kQuote || (c == '"' && strict_)) return false;
    cells_.back() += c;
    place_ = Place::kText;
    return true;
  }

  bool strict_;
  std::vector<std::string> cells_ = {""};
  Place place_ = Place::kBegin;
};

}  // namespace

TableRows::TableRows(const std::filesystem::path& path, TableFormat format, bool has_header)
    : lines_(path), format_(format) {
  if (!has_header) return;
  if (const auto line = next_line()) names_ = read_cells(*line);
  for (const std::string& name : names_) {
    if (!name.empty() && std::count(names_.begin(), names_.end(), name) > 1)
      throw InputError("{}: expected columns of different names, found '{}' twice",
                       where(line_number_), name);
    keys_.push_back(json_quoted(name));
  }
}

std::string TableRows::where(int64_t line) const {
  return fmt::format("{}:{}", lines_.path().string(), line);
}

std::optional<TableRows::Line> TableRows::next_line() {
  Line line;
  if (!pending_.empty()) {
    line = std::move(pending_.front());
    pending_.pop_front();
  } else {
    try {
      if (!lines_.next(line.text)) return std::nullopt;
    } catch (const InputError&) {
      line_number_ = lines_.line_number();
      throw;
    }
    line.number = lines_.line_number();
  }
  line_number_ = line.number;
  return line;
}

bool TableRows::has_tab(std::string_view line) const {
  return format_ == TableFormat::kTsv && line.find('\t') != std::string_view::npos;
}

std::vector<std::string> TableRows::read_csv(const Line& first) {
  CsvRow row(first.is_again);
  bool valid = row.add(first.text);
  for (size_t bytes = first.text.size(); valid && !row.is_complete();) {
    std::optional<Line> line = next_line();
    if (!line) break;
    bytes += line->text.size();
    taken_.push_back(std::move(*line));
    if (bytes > kMaxQuotedBytes) break;
    valid = row.add(taken_.back().text);
  }
  if (!valid)
    throw InputError(
        "{}: expected a comma or the line end after a quoted cell, and quotes only "
        "around cells",
        where(first.number));
  if (!row.is_complete())
    throw InputError("{}: expected the end of a quoted cell, found none in {} lines",
                     where(first.number), taken_.size() + 1);
  return row.take();
}

std::vector<std::string> TableRows::read_cells(const Line& first) {
  taken_.clear();
  try {
    std::vector<std::string> cells =
        format_ == TableFormat::kTsv ? split_at_tabs(first.text) : read_csv(first);
    if (!names_.empty() && cells.size() != names_.size())
      throw InputError("{}: expected {} cells as in the first line, found {}", where(first.number),
                       names_.size(), cells.size());
    return cells;
  } catch (const InputError&) {
    for (auto line = taken_.rbegin(); line != taken_.rend(); ++line) {
      line->is_again = true;
      pending_.push_front(std::move(*line));
    }
    line_number_ = first.number;
    throw;
  }
}

std::optional<Json> TableRows::next() {
  std::optional<Line> line;
  do {
    line = next_line();
    if (!line) return std::nullopt;
  } while (is_blank(line->text) && !has_tab(line->text));
  const std::vector<std::string> cells = read_cells(*line);
  std::string object = "{";
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string key = keys_.empty() ? fmt::format("\"{}\"", i + 1) : keys_[i];
    object += fmt::format("{}{}:{}", i == 0 ? "" : ",", key, json_quoted(cells[i]));
  }
  JsonLimits limits;
  limits.max_bytes = 8 * Lines::kMaxBytes;  // escapes make text longer
  limits.refuse_duplicate_keys = false;
  return Json::parse(object + "}", where(line->number), limits);
}

}  // namespace lynceus::io
