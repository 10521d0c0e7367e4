#include "evaluate/compare/paper_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "evaluate/compare/compare.h"
#include "evaluate/compare/pairs.h"
#include "evaluate/compare/sentence.h"

namespace lynceus::evaluate {
namespace {

using io::JsonValue;
using Cells = std::vector<std::string>;

constexpr const char* kNote = "reported, not measured here";

std::string figure_text(const std::optional<double>& figure) {
  return figure ? fmt::format("{:.2f}", *figure) : "-";
}

/// Columns begin..end of a table, of the files first.
std::string part_of(const PaperComparison& comparison, size_t begin, size_t end) {
  const PaperTable& table = *comparison.table;
  std::vector<Cells> rows = {{"system", "where"}};
  rows[0].insert(rows[0].end(), table.columns.begin() + static_cast<std::ptrdiff_t>(begin),
                 table.columns.begin() + static_cast<std::ptrdiff_t>(end));
  for (const MeasuredRow& row : comparison.measured) {
    Cells cells = {row.file, fmt::format("measured, {} items, judge {}", row.items, row.judge)};
    for (size_t c = begin; c < end; ++c) cells.push_back(figure_text(row.figures[c]));
    rows.push_back(std::move(cells));
  }
  for (const PaperRow& row : table.rows) {
    Cells cells = {row.system, fmt::format("Table {}", row.table)};
    for (size_t c = begin; c < end; ++c) cells.push_back(figure_text(row.figures[c]));
    rows.push_back(std::move(cells));
  }
  return aligned_cells(rows, 2);
}

/// Where a table of MME is cut in two: after the sum of perception.
size_t cut_of(const PaperTable& table) {
  const auto sum = std::find(table.columns.begin(), table.columns.end(), "Perception");
  return sum == table.columns.end() ? table.columns.size()
                                    : static_cast<size_t>(sum - table.columns.begin()) + 1;
}

}  // namespace

std::string aligned_cells(const std::vector<Cells>& rows, size_t text_columns) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Cells& row : rows)
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  std::string text;
  for (const Cells& row : rows) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c)
      line += c < text_columns ? fmt::format("{:<{}}  ", row[c], widths[c])
                               : fmt::format("{:>{}}  ", row[c], widths[c]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::vector<PaperComparison> with_measured(std::span<const PaperTable> tables,
                                           std::span<const ItemFile> files) {
  std::vector<PaperComparison> found;
  for (const PaperTable& table : tables) {
    PaperComparison comparison{&table, {}};
    for (size_t f = 0; f < files.size(); ++f) {
      for (const auto& [name, judges] : items_by_set(files[f])) {
        if (name.first != table.benchmark || (!table.set.empty() && name.second != table.set))
          continue;
        for (const auto& [judge, items] : judges) {
          const auto scored = std::count_if(
              items.begin(), items.end(), [](const Item* item) { return item->right.has_value(); });
          if (scored > 0)
            comparison.measured.push_back(
                {file_letter(f), judge, scored, measured_figures(table, items)});
        }
      }
    }
    if (!comparison.measured.empty()) found.push_back(std::move(comparison));
  }
  return found;
}

std::string paper_page(std::span<const PaperComparison> comparisons) {
  std::string text;
  for (const PaperComparison& comparison : comparisons) {
    const PaperTable& table = *comparison.table;
    text += fmt::format("\n{}, {}; the rows of the paper (arXiv 2307.02469) are {}\n",
                        set_name(table.benchmark, table.set),
                        table.benchmark == "mme" ? "scores" : "right answers in %", kNote);
    const size_t cut = cut_of(table);
    text += part_of(comparison, 0, cut);
    if (cut < table.columns.size()) text += "\n" + part_of(comparison, cut, table.columns.size());
  }
  return text;
}

JsonValue paper_json(std::span<const PaperComparison> comparisons) {
  JsonValue tables = JsonValue::array();
  for (const PaperComparison& comparison : comparisons) {
    const PaperTable& table = *comparison.table;
    JsonValue rows = JsonValue::array();
    const auto add = [&](JsonValue row, const auto& figures) {
      JsonValue object = JsonValue::object();
      for (size_t c = 0; c < table.columns.size(); ++c) {
        const std::optional<double> figure = figures[c];
        object.set(table.columns[c], figure ? JsonValue(*figure) : JsonValue());
      }
      row.set("figures", object);
      rows.push_back(std::move(row));
    };
    for (const MeasuredRow& row : comparison.measured)
      add(JsonValue::object({{"file", row.file},
                             {"judge", row.judge},
                             {"items", row.items},
                             {"where", "measured"}}),
          row.figures);
    for (const PaperRow& row : table.rows)
      add(JsonValue::object({{"system", row.system}, {"table", row.table}, {"where", kNote}}),
          row.figures);
    tables.push_back(JsonValue::object(
        {{"benchmark", table.benchmark}, {"set", table.set}, {"rows", std::move(rows)}}));
  }
  return tables;
}

}  // namespace lynceus::evaluate
