// The benchmark `options`: questions with given answers, of which the model chooses by likelihood.
//
// Answers: JSONL rows {"question", "options": [TEXT, ...], "answer": one of the options, [it], or
// its number from 0, "answer_predicted": TEXT, "option_scores": [{"sum", "length"}, ...]}, with
// "class", "image", "video" and "index" or "question_id" if wanted. `lynceus evaluate options
// --run` writes them: `sum` is the log-probability of the option's tokens and its end token after
// the prompt, `length` their number.
//
// The choice is the option with the largest sum / length, of equal ones the first. The choice by
// the sum alone, which prefers short options, is reported, too.
#pragma once

#include <filesystem>
#include <vector>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

/// InputError that lists the faults of all rows.
Evaluation evaluate_options(const std::vector<std::filesystem::path>& answers);

}  // namespace lynceus::evaluate
