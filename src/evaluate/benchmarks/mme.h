// The benchmark MME: yes-or-no questions, two for each image, in 14 tasks.
//
// Of a task: accuracy, the share of right answers; accuracy+, the share of images with two right
// answers; score = 100 (accuracy + accuracy+), at most 200. Perception and cognition are the sums
// of the scores of 10 and of 4 tasks.
#pragma once

#include <filesystem>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

/// Scores the answers that read_mme() reads (evaluate/benchmarks/mme_files.h), by all mme_rules().
/// A sum that lacks a task is null. `results`: folder for the answers in the format of the official
/// tool; empty: they are not written.
Evaluation evaluate_mme(const std::filesystem::path& answers, bool partial,
                        const std::filesystem::path& results = {});

}  // namespace lynceus::evaluate
