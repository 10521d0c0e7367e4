// The benchmark `heldout`: answers to held-out samples of dataset shards, as `lynceus generate`
// writes them for data.validation.
//
// Answers: JSONL rows {"dataset", "class", "key", "sample", "question", "answer": [REFERENCE],
// "answer_predicted": TEXT, "right": true or false}. `right`: the answer has exactly the tokens of
// the reference, the end token included. So the accuracy of greedy answers is the answer_accuracy
// that `lynceus evaluate --run` reports without writing answers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

struct HeldoutOptions {
  std::vector<std::filesystem::path> answers;
  std::filesystem::path sheet = {};        ///< contact sheet to write; empty: none
  std::vector<std::string> pictures = {};  ///< NAME:GLOB of the datasets of its pictures
};

/// InputError that lists the faults of all rows, and for a sheet those of its pictures: datasets
/// that are not given, samples of another key, damaged pictures.
Evaluation evaluate_heldout(const HeldoutOptions& options);

}  // namespace lynceus::evaluate
