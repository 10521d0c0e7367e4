// LYNCEUS_CHECK(condition, "format", args...): an invariant of ours, kept in release builds.
// For what a user did wrong, throw UsageError or InputError instead.
#pragma once

#include "core/error.h"

namespace lynceus::internal {

[[noreturn]] inline void check_failed(const char* file, int line, const char* condition,
                                      const std::string& message) {
  throw InternalError("{}:{}: {} does not hold: {}", file, line, condition, message);
}

}  // namespace lynceus::internal

#define LYNCEUS_CHECK(condition, ...)                                                              \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::lynceus::internal::check_failed(__FILE__, __LINE__, #condition, fmt::format(__VA_ARGS__)); \
  } while (false)
