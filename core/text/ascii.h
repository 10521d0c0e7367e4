// Letters of ASCII, without regard to the locale. For all letters: io/text/lower_case.h.
#pragma once

#include <string>
#include <string_view>

namespace lynceus {

/// A to Z become a to z; every other byte stays.
constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string ascii_lower(std::string_view text);

}  // namespace lynceus
