// The rows of the paper next to what was measured here, for the benchmarks of the compared files.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/compare/item_file.h"
#include "evaluate/compare/paper_rows.h"
#include "io/files/json_value.h"

namespace lynceus::evaluate {

/// Figures of one file with one judge in the columns of a table.
struct MeasuredRow {
  std::string file;  ///< its letter
  std::string judge;
  int64_t items = 0;  ///< scored
  std::vector<std::optional<double>> figures;
};

/// A table of the paper, with the rows that the files have for it.
struct PaperComparison {
  const PaperTable* table = nullptr;
  std::vector<MeasuredRow> measured;
};

/// Tables without a row of the files are left out.
std::vector<PaperComparison> with_measured(std::span<const PaperTable> tables,
                                           std::span<const ItemFile> files);

std::string paper_page(std::span<const PaperComparison> comparisons);
io::JsonValue paper_json(std::span<const PaperComparison> comparisons);

/// Text in `text_columns` columns to the left, numbers in the others to the right.
std::string aligned_cells(const std::vector<std::vector<std::string>>& rows, size_t text_columns);

}  // namespace lynceus::evaluate
