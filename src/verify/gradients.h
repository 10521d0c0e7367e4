// The gradients of a case against ours: each tensor by its own bound, and in bf16 all together.
#pragma once

#include <vector>

#include "verify/reference_case.h"
#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world. `scored` labels make the mean that the case's gradients are of. The
/// tensor that is worst against its bound is named.
void compare_gradients(const Runtime& rt, const ReferenceCase& reference,
                       train::Optimizer* optimizer, int64_t scored, const train::GlobalReach& reach,
                       const Tolerances& tolerances, std::vector<Finding>* findings);

}  // namespace lynceus::verify
