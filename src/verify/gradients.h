// Compares the gradients of a case with ours: each tensor by its own bound, and in bf16 also all
// together.
#pragma once

#include <vector>

#include "verify/reference_case.h"
#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world. The gradients of the case are those of the mean loss over `scored`
/// labels. The tensor with the largest error relative to its bound is named.
void compare_gradients(const Runtime& rt, const ReferenceCase& reference,
                       train::Optimizer* optimizer, int64_t scored, const train::GlobalReach& reach,
                       const Tolerances& tolerances, std::vector<Finding>* findings);

}  // namespace lynceus::verify
