// The version of this program: what `lynceus --version` prints and what every file that it writes
// names as its maker.
#pragma once

#include <string>

namespace lynceus {

/// "lynceus 0.1.0".
std::string software_version();

}  // namespace lynceus
