// The benchmark `vqa`: VQA accuracy (Antol et al., ICCV 2015), against several human answers.
//
// Answers: JSONL rows {"question_id", "question", "answers": [TEXT, ...], "answer_predicted":
// TEXT}, with "image", "question_type" and "answer_type" if wanted. The elements of answers may be
// objects
// {"answer": TEXT} as in the published annotations; the key may be "answer" too.
//
// The accuracy of an answer is the mean, over the ways to leave one human answer out, of
// min(1, matches among the others / 3). If the human answers differ, they and the answer are
// compared in normal form (evaluate/vqa_normal_form.h), otherwise as they are, as the published
// script does.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

/// 0 to 1. `references`: at least one. With a single one, which leaves none to match: 0.
double vqa_accuracy(std::string_view answer, std::span<const std::string> references);

/// InputError that lists the faults of all rows.
Evaluation evaluate_vqa(const std::vector<std::filesystem::path>& answers);

}  // namespace lynceus::evaluate
