// Answers to OwlEval (Ye et al., mPLUG-Owl, arXiv 2304.14178): 82 questions about 50 images, whose
// answers people rate.
//
// A file for each model, JSONL rows {"question_id": N, "answer": TEXT}, with "image", "question"
// and "model_id" as published. The questions are those of --questions, or the published numbers 1
// to 82 with the texts and images of the first file that has them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lynceus::evaluate {

struct OwlQuestion {
  int64_t id = 0;
  std::string image;  ///< file name; empty: not known
  std::string text;
};

struct OwlModel {
  std::string name;  ///< model_id, else the name of the file without its ending
  std::filesystem::path file;
  std::vector<std::string> answers;  ///< [question]
};

struct OwlAnswers {
  std::vector<OwlQuestion> questions;  ///< by id
  std::vector<OwlModel> models;        ///< by name
};

/// `questions`: JSONL rows {"question_id", "image", "question"}; empty: the published ones.
/// InputError that lists all faults: malformed rows, questions without an answer, twice or not
/// known, two models of one name.
OwlAnswers read_owleval(const std::vector<std::filesystem::path>& answers,
                        const std::filesystem::path& questions);

/// The order in which a sheet shows the answers to a question: [place] is a model. A pure function
/// of the seed, the id of the question and the number of models.
std::vector<size_t> shown_order(uint64_t seed, int64_t question_id, size_t models);

/// Identifies a sheet: 32 hex digits of its seed, questions, models and answers.
std::string sheet_digest(const OwlAnswers& answers, uint64_t seed);

}  // namespace lynceus::evaluate
