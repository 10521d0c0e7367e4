// LYNCEUS_CHECK(condition, "format", args...): an invariant of this program, kept in release
// builds. For what a user did wrong, throw UsageError or InputError instead.
#pragma once

#include "core/error.h"

namespace lynceus::internal {

struct CheckPlace {
  const char* file;
  int line;
  const char* condition;
};

[[noreturn]] void throw_failed_check(const CheckPlace& place, fmt::string_view format,
                                     fmt::format_args args);

template <typename... Args>
[[noreturn]] void check_failed(const CheckPlace& place, fmt::format_string<Args...> format,
                               Args&&... args) {
  throw_failed_check(place, format, fmt::make_format_args(args...));
}

}  // namespace lynceus::internal

#define LYNCEUS_CHECK(condition, ...)                                                    \
  do {                                                                                   \
    if (!(condition)) [[unlikely]]                                                       \
      ::lynceus::internal::check_failed(                                                 \
          ::lynceus::internal::CheckPlace{__FILE__, __LINE__, #condition}, __VA_ARGS__); \
  } while (false)
