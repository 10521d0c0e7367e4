#include "io/weights/name_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace lynceus::io {

std::string name_list(const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  if (names.size() <= kShown + 1) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} others", fmt::join(names.begin(), names.begin() + kShown, ", "),
                     names.size() - kShown);
}

std::string Mismatches::to_string() const {
  std::string text;
  const auto add = [&](const std::vector<std::string>& names, const char* what) {
    if (!names.empty())
      text += fmt::format("{}{} {}: {}", text.empty() ? "" : "; ", names.size(), what,
                          name_list(names));
  };
  add(missing, "missing");
  add(of_another_shape, "of another shape");
  add(unexpected, "unexpected");
  return text;
}

std::string shared_prefix(std::span<const std::string> names) {
  if (names.empty()) return "";
  const auto [least, most] = std::minmax_element(names.begin(), names.end());
  const auto ends = std::mismatch(least->begin(), least->end(), most->begin(), most->end());
  const std::string shared(least->begin(), ends.first);
  const size_t dot = shared.rfind('.');
  return dot == std::string::npos ? "" : shared.substr(0, dot + 1);
}

}  // namespace lynceus::io
