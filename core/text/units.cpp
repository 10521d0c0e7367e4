#include "core/text/units.h"

#include <fmt/format.h>

#include <cmath>

namespace lynceus {
namespace {

constexpr double kStep = 1024;
constexpr double kHalfDigit = 0.05;  // what is rounded up to the next unit

}  // namespace

std::string bytes_text(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / kStep;
  size_t unit = 0;
  while (value >= kStep - kHalfDigit && unit + 1 < std::size(kUnits)) {
    value /= kStep;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string count_text(int64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  const double thousands = static_cast<double>(count) / 1e3;
  if (thousands < 1000 - kHalfDigit) return fmt::format("{:.1f} thousand", thousands);
  std::string text = fmt::format("{:.1f}", static_cast<double>(count) / 1e6);
  for (size_t at = text.find('.'); at > 3; at -= 3) text.insert(at - 3, ",");
  return text + " million";
}

std::string seconds_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.2f} s", seconds);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string noun_of(std::string_view count, std::string_view plural) {
  if (count == "1" && plural.ends_with('s')) plural.remove_suffix(1);
  return std::string(plural);
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace lynceus
