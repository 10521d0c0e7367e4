// A comparison as pages: for people, and as one JSON object.
#pragma once

#include <span>
#include <string>

#include "evaluate/compare/compare.h"
#include "evaluate/compare/item_file.h"
#include "evaluate/compare/paper_rows.h"
#include "io/files/json_value.h"

namespace lynceus::evaluate {

struct ComparedFiles {
  std::span<const ItemFile> files;
  std::span<const PaperTable> paper;
  CompareOptions options;
};

/// Tables of at most about 120 columns.
std::string comparison_page(const ComparedFiles& compared, const ComparisonReport& report);

/// {"files": [{"name", "path", "items"}], "seed", "resamples", "comparisons": [...], "agreements":
/// [...], "paper": [...]}; the keys are those of docs/evaluate.md.
io::JsonValue comparison_json(const ComparedFiles& compared, const ComparisonReport& report);

/// Of judges in one file without its name; "openvqa images: judges a and b agree on 28 of 30 items,
/// Cohen's kappa 0.853 (95 % interval 0.6 to 1)".
std::string agreement_text(const JudgeAgreement& agreement);
/// Without the files: {"benchmark", "set", "first_judge", "second_judge", "items", "equal",
/// "kappa", "interval"}.
io::JsonValue agreement_json(const JudgeAgreement& agreement);

}  // namespace lynceus::evaluate
