// The benchmark Open-VQA of the Lynx paper (arXiv 2307.02469): 302 questions about images in 8
// classes, 148 about videos in 2, judged by a referee.
//
// Answers: the published rows with the answer of the model,
//   {"dataset": "Open_VQA_images", "question", "answer": [REFERENCE, ...], "index", "image" or
//    "video", "class", "answer_predicted": TEXT}
// in one JSONL file or several, images and videos in any order. `lynceus generate` writes them.
#pragma once

#include <filesystem>
#include <vector>

#include "evaluate/evaluation.h"
#include "evaluate/verdict.h"

namespace lynceus::evaluate {

/// InputError that lists the faults of all rows: missing keys, rows without an answer of the model,
/// the same question twice. An empty answer is an answer. Other numbers of questions than the
/// published ones are a warning. Answers without a verdict are in no accuracy.
Evaluation evaluate_openvqa(const std::vector<std::filesystem::path>& answers, const Judge& judge);

}  // namespace lynceus::evaluate
