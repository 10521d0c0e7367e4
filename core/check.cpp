#include "core/check.h"

namespace lynceus::internal {

void throw_failed_check(const CheckPlace& place, fmt::string_view format, fmt::format_args args) {
  throw InternalError("{}:{}: check failed: {}: {}", place.file, place.line, place.condition,
                      fmt::vformat(format, args));
}

}  // namespace lynceus::internal
