// Answers the prompts of a generation case on the given grid and compares tokens, sums,
// probabilities and log-probabilities with the case.
#pragma once

#include <filesystem>
#include <vector>

#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world; the same findings on every rank. In f32 all tokens must be equal; in
/// bf16 the share of tokens that differ is reported and not judged, and log-probabilities of given
/// answers are compared by the tolerance of losses.
std::vector<Finding> verify_generation(const Runtime& rt, const std::filesystem::path& directory,
                                       const VerifyOptions& options, const Tolerances& tolerances);

}  // namespace lynceus::verify
