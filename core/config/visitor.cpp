#include "core/config/visitor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/check.h"

namespace lynceus {
namespace {

/// Parses all of `text`: "1e3" and "12 " are no integers.
template <typename Number>
bool parse_number(const std::string& text, Number& value) {
  Number parsed{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, parsed);
  if (error != std::errc() || stop != end) return false;
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(parsed)) return false;
  value = parsed;
  return true;
}

bool parse_bool(const std::string& text, bool& value) {
  if (text != "true" && text != "false") return false;
  value = text == "true";
  return true;
}

bool parse_optional(const std::string& text, std::optional<int64_t>& value) {
  int64_t number = 0;
  if (text == "auto")
    value.reset();
  else if (parse_number(text, number))
    value = number;
  else
    return false;
  return true;
}

}  // namespace

void ConfigVisitor::section(const std::string& name, const std::string& help) {
  sections_.push_back({name, help});
}

void ConfigVisitor::field(const std::string& key, bool& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, int& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, int64_t& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, uint64_t& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, double& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, std::string& value, const std::string& help) {
  add(key, &value, {}, help);
}
void ConfigVisitor::field(const std::string& key, std::optional<int64_t>& value,
                          const std::string& help) {
  add(key, &value, {}, help);
}

void ConfigVisitor::choice(const std::string& key, std::string& value,
                           std::vector<std::string> choices, const std::string& help) {
  LYNCEUS_CHECK(std::find(choices.begin(), choices.end(), value) != choices.end(),
                "the default '{}' of {} is not one of its choices", value, key);
  add(key, &value, std::move(choices), help);
}

void ConfigVisitor::list(const std::string& key, std::vector<std::string>& values,
                         const std::string& help) {
  add(key, &values, {}, help);
}

void ConfigVisitor::add(const std::string& key, Target target, std::vector<std::string> choices,
                        const std::string& help) {
  for (const Field& known : fields_)
    LYNCEUS_CHECK(known.key != key, "config key {} is registered twice", key);
  Field field;
  field.key = key;
  field.section = sections_.empty() ? "" : sections_.back().name;
  field.help = help;
  field.choices = std::move(choices);
  field.target = target;
  field.default_text = fmt::format("{}", fmt::join(field.texts(), " "));
  fields_.push_back(std::move(field));
}

std::vector<std::string> ConfigVisitor::Field::texts() const {
  return std::visit(
      [](auto* value) -> std::vector<std::string> {
        using Value = std::remove_pointer_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::vector<std::string>>)
          return *value;
        else if constexpr (std::is_same_v<Value, std::optional<int64_t>>)
          return {value->has_value() ? fmt::format("{}", **value) : "auto"};
        else
          return {fmt::format("{}", *value)};
      },
      target);
}

std::string ConfigVisitor::Field::assign(const std::string& text, bool append) const {
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    return expected();
  const bool taken = std::visit(
      [&](auto* value) {
        using Value = std::remove_pointer_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          if (!append) value->clear();
          if (!text.empty()) value->push_back(text);
          return true;
        } else if constexpr (std::is_same_v<Value, std::string>) {
          *value = text;
          return true;
        } else if constexpr (std::is_same_v<Value, bool>) {
          return parse_bool(text, *value);
        } else if constexpr (std::is_same_v<Value, std::optional<int64_t>>) {
          return parse_optional(text, *value);
        } else {
          return parse_number(text, *value);
        }
      },
      target);
  return taken ? "" : expected();
}

std::string ConfigVisitor::Field::expected() const {
  if (!choices.empty()) return fmt::format("one of {}", fmt::join(choices, ", "));
  return std::visit(
      [](auto* value) -> std::string {
        using Value = std::remove_pointer_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, bool>)
          return "true or false";
        else if constexpr (std::is_same_v<Value, double>)
          return "a finite number";
        else if constexpr (std::is_same_v<Value, uint64_t>)
          return "an integer from 0 to 2^64 - 1";
        else if constexpr (std::is_same_v<Value, int>)
          return fmt::format("an integer of at most {} in size", std::numeric_limits<int>::max());
        else if constexpr (std::is_same_v<Value, std::optional<int64_t>>)
          return "an integer or auto";
        else if constexpr (std::is_same_v<Value, int64_t>)
          return "an integer";
        else
          return "text";
      },
      target);
}

std::string ConfigVisitor::Field::value_name() const {
  if (!choices.empty()) return fmt::format("{}", fmt::join(choices, "|"));
  return std::visit(
      [](auto* value) -> std::string {
        using Value = std::remove_pointer_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, bool>)
          return "true|false";
        else if constexpr (std::is_same_v<Value, double>)
          return "NUMBER";
        else if constexpr (std::is_same_v<Value, std::string>)
          return "TEXT";
        else if constexpr (std::is_same_v<Value, std::vector<std::string>>)
          return "TEXT...";
        else if constexpr (std::is_same_v<Value, std::optional<int64_t>>)
          return "auto|INT";
        else
          return "INT";
      },
      target);
}

}  // namespace lynceus
