#include "core/error.h"

namespace lynceus {

Error::Error(ExitCode code, const std::string& message)
    : std::runtime_error(message), code_(code) {}

Error::Error(ExitCode code, fmt::string_view format, fmt::format_args args)
    : std::runtime_error(fmt::vformat(format, args)), code_(code) {}

}  // namespace lynceus
