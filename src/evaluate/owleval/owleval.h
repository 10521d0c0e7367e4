// The benchmark OwlEval: answers of one or several models, a sheet for raters, and what the filled
// sheets say.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

struct OwlEvalOptions {
  std::vector<std::filesystem::path> answers;       ///< a file for each model
  std::filesystem::path questions = {};             ///< empty: the published ones
  std::filesystem::path sheet = {};                 ///< to write; empty: none
  std::filesystem::path images = {};                ///< of the sheet; empty: without pictures
  uint64_t seed = 0;                                ///< of the order of answers in the sheet
  std::vector<std::filesystem::path> ratings = {};  ///< filled sheets
};

/// Checks the answers, writes the sheet and scores the ratings. InputError that lists all faults.
Evaluation evaluate_owleval(const OwlEvalOptions& options);

}  // namespace lynceus::evaluate
