// Compares final parameters that a case does not store, by the three numbers per tensor in
// stats.json.
//
// A difference of independent elements changes the sum, √2 times the product with cos(flat index)
// and, at most, the norm by about its own L2 norm. So the largest change of the three estimates
// L2(ours - expected), and has the same tolerance as stored parameters.
#pragma once

#include <optional>

#include "verify/reference_case.h"
#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world. The tensors of reference.final_fingerprints that are not in
/// reference.final: their error, all together, relative to how far ours moved; nullopt if there are
/// none.
std::optional<Finding> compare_fingerprints(const Runtime& rt, const ReferenceCase& reference,
                                            train::Optimizer* optimizer, double tolerance);

/// This rank's part of a parameter from the weights of the case.
Tensor start_of(const Runtime& rt, const ReferenceCase& reference, const Parameter& parameter);

}  // namespace lynceus::verify
