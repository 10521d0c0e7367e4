#include "train/watch/watch_config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace lynceus::train {
namespace {

constexpr Section kAll[] = {Section::kInit, Section::kLoad,     Section::kData,
                            Section::kStep, Section::kEvaluate, Section::kCheckpoint};

const std::string& text_of(const WatchConfig& config, Section section) {
  switch (section) {
    case Section::kInit:
      return config.init;
    case Section::kLoad:
      return config.load;
    case Section::kData:
      return config.data;
    case Section::kStep:
      return config.step;
    case Section::kEvaluate:
      return config.evaluate;
    case Section::kCheckpoint:
      break;
  }
  return config.checkpoint;
}

/// nullopt: not a number of seconds.
std::optional<double> parse_seconds(const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(seconds) || seconds < 0) return std::nullopt;
  return seconds;
}

}  // namespace

const char* name_of(Section section) {
  switch (section) {
    case Section::kInit:
      return "init";
    case Section::kLoad:
      return "load";
    case Section::kData:
      return "data";
    case Section::kStep:
      return "step";
    case Section::kEvaluate:
      return "evaluate";
    case Section::kCheckpoint:
      break;
  }
  return "checkpoint";
}

void WatchConfig::check(ConfigFaults* faults) const {
  for (const Section section : kAll) {
    const std::string& text = text_of(*this, section);
    faults->expect(text == "auto" || parse_seconds(text).has_value(),
                   fmt::format("watchdog.{}", name_of(section)), "auto or seconds, 0 or more",
                   fmt::format("'{}'", text));
  }
  faults->expect(slow_factor == 0 || slow_factor > 1, "watchdog.slow_factor", "0 or more than 1",
                 slow_factor);
}

std::optional<double> WatchConfig::given(Section section) const {
  const std::string& text = text_of(*this, section);
  return text == "auto" ? std::nullopt : parse_seconds(text);
}

double automatic_limit(Section section, double longest) {
  constexpr double kMinute = 60, kTimes = 5;
  if (longest <= 0) return section == Section::kLoad ? 60 * kMinute : 30 * kMinute;
  const double floor = section == Section::kStep   ? kMinute
                       : section == Section::kData ? 10 * kMinute
                                                   : 5 * kMinute;
  return std::max(floor, kTimes * longest);
}

}  // namespace lynceus::train
