// The results of the paper (arXiv 2307.02469) as it reports them, from configs/paper/*.csv. They
// were not measured here: their prompts, decoding and judge may differ.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluate/items.h"

namespace lynceus::evaluate {

/// What one system reached on one benchmark.
struct PaperRow {
  std::string system;
  int64_t table = 0;  ///< its number in the paper
  /// One for each column of the table: Open-VQA in percent of right answers, MME in its scores.
  std::vector<double> figures;
};

struct PaperTable {
  std::string benchmark;             ///< as in per-item results: openvqa, mme
  std::string set;                   ///< images or videos; mme has one set
  std::vector<std::string> columns;  ///< classes or tasks as the paper names them; sums last
  std::vector<int64_t> questions;    ///< of each column; empty for mme
  std::vector<PaperRow> rows;
};

/// Reads open_vqa_image.csv, open_vqa_video.csv and mme.csv of a folder. InputError for a column
/// that is missing, a number that is none, or a sum that is not that of its row.
std::vector<PaperTable> read_paper_tables(const std::filesystem::path& folder);

/// The folder of the tables that come with the program. UsageError if there is none.
std::filesystem::path paper_folder();

/// The column that a class or task of per-item results means; nullopt: the paper has none. Letters
/// and digits count, case does not: "Action(Y/N)" is "Action (yes/no)", "posters" is "Poster".
std::optional<size_t> paper_column(const PaperTable& table, const std::string& name);

/// The figures of per-item results in the columns of a table; absent where no item is scored, and
/// for sums of which a task is absent. Items of the table's benchmark and set, of one judge.
std::vector<std::optional<double>> measured_figures(const PaperTable& table,
                                                    std::span<const Item* const> items);

}  // namespace lynceus::evaluate
