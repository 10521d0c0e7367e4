// The benchmark `caption`: captions against human ones (evaluate/benchmarks/caption_metrics.h).
//
// Answers: JSONL rows {"candidate": TEXT, "references": [TEXT, ...]}, with "id" and "image" if
// wanted; "answer_predicted" precedes "candidate". An item without an id has the number of its row,
// from 1.
#pragma once

#include <filesystem>

#include "evaluate/evaluation.h"

namespace lynceus::evaluate {

/// InputError that lists the faults of all rows.
Evaluation evaluate_captions(const std::filesystem::path& answers);

}  // namespace lynceus::evaluate
