// Final parameters that a case does not store, by the three numbers that stats.json has of each.
//
// A difference of independent elements changes the sum, √2 times the product with cos(flat index)
// and, at most, the norm by about its own L2 norm. So the largest change of the three estimates
// L2(ours - expected), and stands against the same tolerance as the stored parameters do.
#pragma once

#include <optional>

#include "verify/reference_case.h"
#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world. The tensors of reference.final_fingerprints that reference.final
/// lacks, all together, against how far ours moved; nothing if there are none.
std::optional<Finding> compare_fingerprints(const Runtime& rt, const ReferenceCase& reference,
                                            train::Optimizer* optimizer, double tolerance);

/// This rank's part of a parameter as the case's weights have it.
Tensor start_of(const Runtime& rt, const ReferenceCase& reference, const Parameter& parameter);

}  // namespace lynceus::verify
