// The reference case about resolutions: pos_embed interpolated to other image sizes and the patch
// features at these sizes, from weights with released and with EVA names.
#pragma once

#include "verify/verify.h"

namespace lynceus::verify {

/// Collective over the world; each rank encodes the complete case.
std::vector<Finding> verify_resolutions(const Runtime& rt, const std::filesystem::path& directory,
                                        const Tolerances& tolerances);

}  // namespace lynceus::verify
