// Reads both spellings of the type of a scaling, and writes the one that all versions of
// transformers read.
#include "io/weights/rope_scaling.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <sstream>
#include <vector>

#include "core/error.h"

namespace lynceus::io {
namespace {

constexpr int64_t kMostPositions = 1 << 30;

bool is_valid(const RopeScaling& scaling) {
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::kNone) return true;
  if (!std::isfinite(scaling.factor) || scaling.factor < 1) return false;
  if (scaling.kind == Kind::kLinear) return true;
  if (scaling.original_positions < 1 || scaling.original_positions > kMostPositions) return false;
  if (scaling.kind == Kind::kDynamic) return true;
  return std::isfinite(scaling.high_freq_factor) && scaling.low_freq_factor > 0 &&
         scaling.high_freq_factor > scaling.low_freq_factor;
}

std::string type_of(const Json& json) {
  for (const char* key : {"rope_type", "type"})
    if (const auto type = json.find(key); type && !type->is_null()) return type->string();
  return "default";
}

/// "" or the first key whose value says more than a rotary base, so that a type is expected.
std::string key_that_needs_type(const Json& json) {
  for (const char* type : {"rope_type", "type"})
    if (const auto found = json.find(type); found && !found->is_null()) return "";
  for (const auto& [key, value] : json.members())
    if (key != "rope_theta" && key != "partial_rotary_factor" && !value.is_null() &&
        key != "rope_type" && key != "type")
      return key;
  return "";
}

RopeScaling parse_one(const Json& json, int64_t max_positions) {
  RopeScaling scaling;
  for (const auto& [key, value] : json.members())
    if (value.is_object())
      throw InputError(
          "{}: expected one set of values for all layers, found one for the layer type '{}', which "
          "is not supported",
          json.where(), key);
  if (const std::string key = key_that_needs_type(json); !key.empty())
    throw InputError("{}: expected a rope_type next to '{}', found none", json.where(), key);
  const std::string type = type_of(json);
  if (type == "default") return scaling;
  if (type != "linear" && type != "dynamic" && type != "llama3")
    throw InputError("{}: expected the rope_type default, linear, dynamic or llama3, found '{}'",
                     json.where(), type);
  scaling.factor = json.at("factor").number();
  scaling.kind = type == "linear"    ? RopeScaling::Kind::kLinear
                 : type == "dynamic" ? RopeScaling::Kind::kDynamic
                                     : RopeScaling::Kind::kLlama3;
  if (type == "dynamic") scaling.original_positions = max_positions;
  if (type == "llama3") {
    scaling.low_freq_factor = json.at("low_freq_factor").number();
    scaling.high_freq_factor = json.at("high_freq_factor").number();
    scaling.original_positions =
        json.at("original_max_position_embeddings").integer(1, kMostPositions);
  }
  if (!is_valid(scaling))
    throw InputError(
        "{}: expected a factor of at least 1 and, for llama3, 0 < low_freq_factor < "
        "high_freq_factor, found {}",
        json.where(), json.dump().substr(0, 200));
  return scaling;
}

/// The number at text[*at], which ends at a colon or at the end; *at moves past it.
template <typename Number>
bool take_number(const std::string& text, size_t* at, Number* value) {
  if (*at >= text.size() || text[*at] != ':') return false;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + *at + 1, end, *value);
  if (parsed.ec != std::errc() || (parsed.ptr != end && *parsed.ptr != ':')) return false;
  *at = static_cast<size_t>(parsed.ptr - text.data());
  return true;
}

}  // namespace

std::string RopeScaling::to_text() const {
  switch (kind) {
    case Kind::kNone:
      return "none";
    case Kind::kLinear:
      return fmt::format("linear:{}", factor);
    case Kind::kDynamic:
      return fmt::format("dynamic:{}:{}", factor, original_positions);
    case Kind::kLlama3:
      return fmt::format("llama3:{}:{}:{}:{}", factor, low_freq_factor, high_freq_factor,
                         original_positions);
  }
  return "?";
}

std::optional<RopeScaling> RopeScaling::from_text(const std::string& text) {
  RopeScaling scaling;
  size_t at = std::min(text.find(':'), text.size());
  const std::string type = text.substr(0, at);
  bool complete = true;
  if (type == "linear") {
    scaling.kind = Kind::kLinear;
    complete = take_number(text, &at, &scaling.factor);
  } else if (type == "dynamic") {
    scaling.kind = Kind::kDynamic;
    complete = take_number(text, &at, &scaling.factor) &&
               take_number(text, &at, &scaling.original_positions);
  } else if (type == "llama3") {
    scaling.kind = Kind::kLlama3;
    complete = take_number(text, &at, &scaling.factor) &&
               take_number(text, &at, &scaling.low_freq_factor) &&
               take_number(text, &at, &scaling.high_freq_factor) &&
               take_number(text, &at, &scaling.original_positions);
  } else {
    complete = type == "none";
  }
  if (!complete || at != text.size() || !is_valid(scaling)) return std::nullopt;
  return scaling;
}

JsonValue RopeScaling::to_json() const {
  // All versions of transformers read "type"; those before 4.43 permit only it and factor.
  switch (kind) {
    case Kind::kNone:
      return nullptr;
    case Kind::kLinear:
      return JsonValue::object({{"type", "linear"}, {"factor", factor}});
    case Kind::kDynamic:
      return JsonValue::object({{"type", "dynamic"}, {"factor", factor}});
    case Kind::kLlama3:
      return JsonValue::object({{"rope_type", "llama3"},
                                {"factor", factor},
                                {"low_freq_factor", low_freq_factor},
                                {"high_freq_factor", high_freq_factor},
                                {"original_max_position_embeddings", original_positions}});
  }
  return nullptr;
}

RopeScaling parse_rope_scaling(const Json& config, int64_t max_positions) {
  RopeScaling scaling;
  const auto older = config.find("rope_scaling"), newer = config.find("rope_parameters");
  if (older && !older->is_null()) scaling = parse_one(*older, max_positions);
  if (!newer || newer->is_null()) return scaling;
  const RopeScaling other = parse_one(*newer, max_positions);
  if (older && !older->is_null() && !(other == scaling))
    throw InputError("{}: rope_scaling says {}, but rope_parameters {}", config.where(),
                     scaling.to_text(), other.to_text());
  return other;
}

}  // namespace lynceus::io
