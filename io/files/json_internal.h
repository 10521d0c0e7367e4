// The event handler that builds a JSON document within limits. It includes nlohmann-json, so no
// other header may include it.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/files/json.h"

namespace lynceus::io::internal {

using Value = nlohmann::json;
using LongNumber = std::pair<const void*, std::string>;

/// Shortens a text for a message; it may come from a hostile file.
inline std::string cut(const std::string& text) {
  constexpr size_t kMaxShown = 200;
  return text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "...";
}

/// The library's message without the exception's name and number.
inline std::string reason_of(const nlohmann::detail::exception& error) {
  // The message is "[json.exception.parse_error.101] parse error at line ...: reason".
  std::string_view reason = error.what();
  if (const size_t end = reason.find("] "); end != std::string_view::npos)
    reason.remove_prefix(end + 2);
  return std::string(reason.substr(0, 400));
}

/// Builds the document from the parser's events. Throws before it adds a value that exceeds the
/// limits.
class BoundedBuilder {
 public:
  BoundedBuilder(const std::string& origin, const JsonLimits& limits)
      : origin_(origin), limits_(limits) {}

  Value take() { return std::move(root_); }
  /// Members of objects whose number a double may not have exactly, with their text.
  std::vector<LongNumber> take_long_numbers() { return std::move(long_numbers_); }

  template <typename Scalar>
  bool add_scalar(Scalar value) {
    return add(std::move(value)) != nullptr;
  }
  bool null() { return add(nullptr) != nullptr; }
  bool boolean(bool value) { return add(value) != nullptr; }
  bool number_integer(int64_t value) { return add(value) != nullptr; }
  bool number_unsigned(uint64_t value) { return add(value) != nullptr; }
  bool number_float(double value, const std::string& text) {
    constexpr size_t kExactBytes = 16;  // at most 15 digits, which a double tells apart
    const Value* const place = add(value);
    // A member stays where it is when the objects and arrays around it move; an element does not.
    if (text.size() > kExactBytes && !open_.empty() && open_.back()->is_object())
      long_numbers_.emplace_back(place, text);
    return true;
  }
  bool string(std::string& value) { return add(std::move(value)) != nullptr; }
  bool binary(Value::binary_t&) { return false; }  // not part of JSON text

  bool start_object(size_t) { return open(Value::object()); }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(Value::array()); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [place, inserted] = open_.back()->get_ref<Value::object_t&>().try_emplace(name);
    if (!inserted && limits_.refuse_duplicate_keys)
      throw InputError("{}: the key '{}' appears twice in one object", origin_, cut(name));
    member_ = &place->second;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    throw InputError("{}: not valid JSON at byte {}: {}", origin_, position, reason_of(error));
  }

 private:
  Value* add(Value value) {
    if (++count_ > limits_.max_values)
      throw InputError("{}: more than {} JSON values", origin_, limits_.max_values);
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_object()) {
      *member_ = std::move(value);
      return member_;
    }
    auto& array = open_.back()->get_ref<Value::array_t&>();
    array.push_back(std::move(value));
    return &array.back();
  }
  bool open(Value value) {
    if (static_cast<int>(open_.size()) >= limits_.max_depth)
      throw InputError("{}: JSON nested deeper than {}", origin_, limits_.max_depth);
    // The enclosing array does not grow before this value is closed, so the pointer stays valid.
    open_.push_back(add(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& origin_;
  const JsonLimits& limits_;
  Value root_;
  std::vector<Value*> open_;
  Value* member_ = nullptr;
  uint64_t count_ = 0;
  std::vector<LongNumber> long_numbers_;
};

/// Makes a document from a finished value, and knows what a value does not show.
struct JsonMaker {
  static Json make(std::string origin, Value root, std::vector<LongNumber> long_numbers);
  static std::string decimal(const Json& json);
};

}  // namespace lynceus::io::internal
