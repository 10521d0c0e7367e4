#include "core/config/faults.h"

#include <fmt/format.h>

#include "core/error.h"

namespace lynceus {

bool ConfigFaults::at_least(std::string_view key, int64_t value, int64_t least) {
  return expect(value >= least, key, fmt::format("{} or more", least), value);
}

bool ConfigFaults::within(std::string_view key, int64_t value, int64_t least, int64_t most) {
  return expect(value >= least && value <= most, key, fmt::format("{} to {}", least, most), value);
}

bool ConfigFaults::not_negative(std::string_view key, double value) {
  return expect(value >= 0, key, "0 or more", value);
}

bool ConfigFaults::positive(std::string_view key, double value) {
  return expect(value > 0, key, "more than 0", value);
}

void ConfigFaults::raise() {
  if (faults_.empty()) return;
  const std::vector<std::string> faults = std::exchange(faults_, {});
  if (faults.size() == 1) throw UsageError("{}", faults.front());
  throw UsageError("{} faults in the configuration:\n  {}", faults.size(),
                   fmt::join(faults, "\n  "));
}

void ConfigFaults::add_expected(std::string_view key, std::string_view expected,
                                fmt::format_args found) {
  add(fmt::format("{}: expected {}, found {}", key, expected, fmt::vformat("{}", found)));
}

}  // namespace lynceus
