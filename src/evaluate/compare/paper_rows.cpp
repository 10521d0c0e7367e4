#include "evaluate/compare/paper_rows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/resource.h"
#include "core/text/ascii.h"
#include "evaluate/compare/mme_score.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "io/files/table.h"

namespace lynceus::evaluate {
namespace {

namespace fs = std::filesystem;

/// A file of the paper, row by row, with its place for messages.
class PaperFile {
 public:
  explicit PaperFile(fs::path path)
      : path_(std::move(path)),
        rows_(existing(path_), io::TableFormat::kCsv, /*has_header=*/true) {}

  bool next() {
    row_ = rows_.next();
    return row_.has_value();
  }
  const std::vector<std::string>& names() const { return rows_.names(); }
  std::string text(const std::string& column) const { return row_->at(column).string(); }
  double number(const std::string& column) const {
    const std::string place = fmt::format("{}:{}: {}", path_.string(), rows_.line_number(), column);
    return io::Json::parse(text(column), place).number();
  }
  int64_t integer(const std::string& column) const {
    const double value = number(column);
    if (value != std::floor(value)) fault(column, "a whole number", text(column));
    return static_cast<int64_t>(value);
  }
  /// Faults are reported with the place of the row.
  void expect(const std::string& column, double expected, double tolerance) const {
    if (std::abs(number(column) - expected) > tolerance)
      fault(column, fmt::format("{:.2f}, which follows from the row", expected), text(column));
  }
  [[noreturn]] void fault(const std::string& column, const std::string& expected,
                          const std::string& found) const {
    throw InputError("{}:{}: {}: expected {}, found '{}'", path_.string(), rows_.line_number(),
                     column, expected, found);
  }

 private:
  static const fs::path& existing(const fs::path& path) {
    io::expect_file(path, "a table of the paper");
    return path;
  }

  fs::path path_;
  io::TableRows rows_;
  std::optional<io::Json> row_;
};

/// A class of Open-VQA: the column of the file, its name, how many questions it has.
struct OpenVqaClass {
  const char* column;
  const char* name;
  int64_t questions;
};

/// Right answers of each class, then `right` and `reported_percent` of all.
PaperTable read_open_vqa(const fs::path& path, const std::string& set,
                         const std::vector<OpenVqaClass>& classes) {
  PaperTable table{"openvqa", set, {}, {}, {}};
  int64_t all = 0;
  for (const OpenVqaClass& one : classes) {
    table.columns.emplace_back(one.name);
    table.questions.push_back(one.questions);
    all += one.questions;
  }
  table.columns.emplace_back("All");
  table.questions.push_back(all);
  for (PaperFile file(path); file.next();) {
    PaperRow row{file.text("system"), file.integer("table"), {}};
    double right = 0;
    for (const OpenVqaClass& one : classes) {
      const auto of_class = static_cast<double>(file.integer(one.column));
      if (of_class < 0 || of_class > static_cast<double>(one.questions))
        file.fault(one.column, fmt::format("0 to {}", one.questions), file.text(one.column));
      right += of_class;
      row.figures.push_back(100 * of_class / static_cast<double>(one.questions));
    }
    file.expect("right", right, 0);
    row.figures.push_back(100 * right / static_cast<double>(all));
    file.expect("reported_percent", row.figures.back(), 0.0051);
    table.rows.push_back(std::move(row));
  }
  return table;
}

bool is_mme_sum(const std::string& column) {
  return column == "Perception" || column == "Cognition";
}

/// Tasks in rows and systems in columns; the rows Perception and Cognition are the sums of the
/// tasks before them.
PaperTable read_mme(const fs::path& path) {
  PaperFile file(path);
  PaperTable table{"mme", "", {}, {}, {}};
  std::vector<std::string> systems(file.names());
  std::erase(systems, "task");
  for (const std::string& system : systems) table.rows.push_back({system, 7, {}});
  std::vector<double> sums(systems.size());
  while (file.next()) {
    const std::string task = file.text("task");
    const bool is_sum = is_mme_sum(task);
    table.columns.push_back(task);
    for (size_t s = 0; s < systems.size(); ++s) {
      // The tasks are rounded to 0.01, so a sum of ten may differ by 0.05.
      if (is_sum) file.expect(systems[s], sums[s], 0.05);
      table.rows[s].figures.push_back(file.number(systems[s]));
      sums[s] = is_sum ? 0 : sums[s] + table.rows[s].figures.back();
    }
  }
  return table;
}

std::string letters(const std::string& name) {
  std::string kept;
  for (const char c : ascii_lower(name))
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) kept += c;
  // Where the paper has another name than the benchmark.
  if (kept == "actionyesno") return "actionyn";
  if (kept == "poster") return "posters";
  return kept;
}

/// Percent of right answers.
std::optional<double> percent_right(std::span<const Item* const> items) {
  if (items.empty()) return std::nullopt;
  const auto right =
      std::count_if(items.begin(), items.end(), [](const Item* item) { return *item->right; });
  return 100.0 * static_cast<double>(right) / static_cast<double>(items.size());
}

}  // namespace

std::vector<PaperTable> read_paper_tables(const fs::path& folder) {
  // The classes' sizes are those of the benchmark's files.
  return {read_open_vqa(folder / "open_vqa_image.csv", "images",
                        {{"OCR", "OCR", 53},
                         {"Counting", "Counting", 37},
                         {"Reasoning", "Reasoning", 31},
                         {"Place", "Place", 22},
                         {"Color", "Color", 30},
                         {"Spatial", "Spatial", 15},
                         {"Action", "Action", 20},
                         {"Others", "Others", 94}}),
          read_open_vqa(folder / "open_vqa_video.csv", "videos",
                        {{"action_yes_no", "Action (yes/no)", 108}, {"others", "Others", 40}}),
          read_mme(folder / "mme.csv")};
}

fs::path paper_folder() { return find_resource("paper", "paper", "mme.csv", "").parent_path(); }

std::optional<size_t> paper_column(const PaperTable& table, const std::string& name) {
  for (size_t c = 0; c < table.columns.size(); ++c)
    if (letters(table.columns[c]) == letters(name)) return c;
  return std::nullopt;
}

std::vector<std::optional<double>> measured_figures(const PaperTable& table,
                                                    std::span<const Item* const> items) {
  const bool is_mme = table.benchmark == "mme";
  std::vector<std::vector<const Item*>> of_column(table.columns.size());
  for (const Item* item : items) {
    if (!item->right) continue;
    const auto column = paper_column(table, is_mme ? item->task : item->class_);
    if (column) of_column[*column].push_back(item);
    if (!is_mme) of_column.back().push_back(item);  // all
  }
  std::vector<std::optional<double>> figures;
  std::optional<double> sum = 0;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    if (is_mme && is_mme_sum(table.columns[c])) {
      figures.push_back(std::exchange(sum, 0));
      continue;
    }
    const auto& scored = of_column[c];
    figures.push_back(!is_mme          ? percent_right(scored)
                      : scored.empty() ? std::nullopt
                                       : std::optional(mme_score(scored)));
    if (!figures.back()) sum.reset();
    if (sum) *sum += *figures.back();
  }
  return figures;
}

}  // namespace lynceus::evaluate
