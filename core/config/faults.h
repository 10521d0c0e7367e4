// Faults of a configuration, collected key by key and reported together. Config structs have
// `void check(ConfigFaults* faults) const` for the ranges of their values; the reader uses it for
// the values themselves.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lynceus {

class ConfigFaults {
 public:
  void add(std::string fault) { faults_.push_back(std::move(fault)); }

  /// Adds "KEY: expected EXPECTED, found FOUND" unless `valid`. Returns `valid`.
  template <typename Value>
  bool expect(bool valid, std::string_view key, std::string_view expected, const Value& found) {
    if (!valid) add_expected(key, expected, fmt::make_format_args(found));
    return valid;
  }
  bool at_least(std::string_view key, int64_t value, int64_t least);
  bool within(std::string_view key, int64_t value, int64_t least, int64_t most);
  bool not_negative(std::string_view key, double value);
  bool positive(std::string_view key, double value);

  /// Throws one UsageError that lists every fault so far and forgets them; returns if there is
  /// none.
  void raise();
  void clear() { faults_.clear(); }
  const std::vector<std::string>& all() const { return faults_; }

 private:
  /// `found`: one argument.
  void add_expected(std::string_view key, std::string_view expected, fmt::format_args found);

  std::vector<std::string> faults_;
};

}  // namespace lynceus
