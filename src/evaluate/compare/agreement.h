// Cohen's kappa of two judges over the same answers.
#pragma once

#include <span>
#include <vector>

#include "evaluate/bootstrap.h"
#include "evaluate/compare/compare.h"
#include "evaluate/compare/pairs.h"

namespace lynceus::evaluate {

/// Of every two judges in one file; and of judges in the first and in another file that share none,
/// over the items with equal answers. Items that one of the two has not judged right or wrong are
/// left out; judges without common items give nothing.
std::vector<JudgeAgreement> judge_agreements(std::span<const ItemsBySet> files,
                                             const BootstrapOptions& options);

}  // namespace lynceus::evaluate
