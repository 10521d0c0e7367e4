// What is wrong with a configuration, collected key by key and told all at once. Config structs
// have `void check(ConfigFaults* faults) const` for the ranges of their values; the reader uses it
// for the values themselves.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace lynceus {

class ConfigFaults {
 public:
  void add(std::string fault) { faults_.push_back(std::move(fault)); }

  /// "KEY: expected EXPECTED, found VALUE" unless it holds. Returns whether it holds.
  template <typename Value>
  bool expect(bool holds, std::string_view key, std::string_view expected, const Value& found) {
    if (!holds) add(fmt::format("{}: expected {}, found {}", key, expected, found));
    return holds;
  }
  bool at_least(std::string_view key, int64_t value, int64_t least) {
    return expect(value >= least, key, fmt::format("{} or more", least), value);
  }
  bool within(std::string_view key, int64_t value, int64_t least, int64_t most) {
    return expect(value >= least && value <= most, key, fmt::format("{} to {}", least, most),
                  value);
  }
  bool not_negative(std::string_view key, double value) {
    return expect(value >= 0, key, "0 or more", value);
  }
  bool positive(std::string_view key, double value) {
    return expect(value > 0, key, "more than 0", value);
  }

  /// Throws one UsageError that lists every fault so far and forgets them; returns if there is
  /// none.
  void raise() {
    if (faults_.empty()) return;
    const std::vector<std::string> faults = std::exchange(faults_, {});
    if (faults.size() == 1) throw UsageError("{}", faults.front());
    throw UsageError("{} faults in the configuration:\n  {}", faults.size(),
                     fmt::join(faults, "\n  "));
  }
  void clear() { faults_.clear(); }

 private:
  std::vector<std::string> faults_;
};

}  // namespace lynceus
