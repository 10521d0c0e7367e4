// The version that `lynceus --version` prints and that every file written names as its creator.
#pragma once

#include <string>

namespace lynceus {

/// "lynceus 0.1.0".
std::string software_version();

}  // namespace lynceus
