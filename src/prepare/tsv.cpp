#include "prepare/tsv.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace lynceus::prepare {
namespace {

std::vector<std::string> cells_of(std::string line) {
  if (line.ends_with('\r')) line.pop_back();
  std::vector<std::string> cells;
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    cells.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

}  // namespace

TsvLines::TsvLines(const std::filesystem::path& path, bool has_header) : lines_(path) {
  std::string line;
  if (!has_header || !lines_.next(line)) return;
  for (const std::string& name : cells_of(line)) names_.push_back(io::json_quoted(name));
}

std::optional<io::Json> TsvLines::next() {
  std::string line;
  do {
    if (!lines_.next(line)) return std::nullopt;
  } while (line.find_first_not_of(" \t\r") == std::string::npos);
  const std::vector<std::string> cells = cells_of(line);
  const std::string where = fmt::format("{}:{}", lines_.path().string(), line_number());
  if (!names_.empty() && cells.size() != names_.size())
    throw InputError("{}: expected {} cells as in the first line, found {}", where, names_.size(),
                     cells.size());
  std::string object = "{";
  for (size_t i = 0; i < cells.size(); ++i) {
    object += fmt::format("{}{}:{}", i == 0 ? "" : ",",
                          names_.empty() ? fmt::format("\"{}\"", i + 1) : names_[i],
                          io::json_quoted(cells[i]));
  }
  io::JsonLimits limits;
  limits.max_bytes = 8 * io::Lines::kMaxBytes;  // escapes make text longer
  limits.refuse_duplicate_keys = false;
  return io::Json::parse(object + "}", where, limits);
}

}  // namespace lynceus::prepare
