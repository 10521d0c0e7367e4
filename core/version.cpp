#include "core/version.h"

namespace lynceus {

std::string software_version() { return "lynceus " LYNCEUS_VERSION; }

}  // namespace lynceus
