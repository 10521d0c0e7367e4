#include "io/files/json.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "core/text/text_encoding.h"
#include "io/files/decimal.h"
#include "io/files/json_internal.h"

namespace lynceus::io {
namespace {

using internal::BoundedBuilder;
using internal::cut;
using internal::Value;

const Value& of(const void* value) { return *static_cast<const Value*>(value); }

std::string shortened(const Value& value) {
  const std::string text = value.is_structured()
                               ? value.type_name()
                               : value.dump(-1, ' ', false, Value::error_handler_t::replace);
  return cut(text);
}

/// "object.key". Rows are read at the speed of this and of find().
std::string member_key(std::string_view object, std::string_view key) {
  std::string name;
  name.reserve(object.size() + 1 + key.size());
  if (!object.empty()) (name += object) += '.';
  return name += key;
}

}  // namespace

struct Json::Document {
  std::string origin;
  Value root;
  std::vector<internal::LongNumber> long_numbers;
};

Json internal::JsonMaker::make(std::string origin, Value root,
                               std::vector<LongNumber> long_numbers) {
  auto document = std::make_shared<Json::Document>(
      Json::Document{std::move(origin), std::move(root), std::move(long_numbers)});
  const Value* value = &document->root;
  return Json(std::move(document), value, "");
}

std::string internal::JsonMaker::decimal(const Json& json) {
  if (!json.is_number()) json.expected("a number");
  const Value& value = of(json.value_);
  if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  const auto& numbers = json.document_->long_numbers;
  // The last one, if a key appears twice.
  const auto found = std::find_if(numbers.rbegin(), numbers.rend(),
                                  [&](const auto& number) { return number.first == json.value_; });
  return plain_decimal(found == numbers.rend() ? json.dump() : found->second);
}

std::string decimal_of(const Json& number) { return internal::JsonMaker::decimal(number); }

Json Json::parse(std::string_view text, const std::string& origin, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes)
    throw InputError("{}: found {} bytes of JSON, expected at most {}", origin, text.size(),
                     limits.max_bytes);
  text = utf8_text(text, origin);
  BoundedBuilder builder(origin, limits);
  if (!Value::sax_parse(text.begin(), text.end(), &builder))
    throw InputError("{}: not valid JSON", origin);
  return internal::JsonMaker::make(origin, builder.take(), builder.take_long_numbers());
}

Json Json::read(const std::filesystem::path& path, const JsonLimits& limits) {
  const std::string text = read_text(path, limits.max_bytes);
  refuse_foreign(text, path.string(), "JSON");
  return parse(text, path.string(), limits);
}

bool Json::is_null() const { return of(value_).is_null(); }
bool Json::is_boolean() const { return of(value_).is_boolean(); }
bool Json::is_number() const { return of(value_).is_number(); }
bool Json::is_string() const { return of(value_).is_string(); }
bool Json::is_array() const { return of(value_).is_array(); }
bool Json::is_object() const { return of(value_).is_object(); }

void Json::expected(const char* what) const {
  throw InputError("{}: expected {}, found {}", where(), what, shortened(of(value_)));
}

bool Json::boolean() const {
  if (!is_boolean()) expected("true or false");
  return of(value_).get<bool>();
}

int64_t Json::integer(int64_t min, int64_t max) const {
  const Value& value = of(value_);
  if (!value.is_number_integer()) expected("an integer");
  const bool fits =
      !value.is_number_unsigned() || value.get<uint64_t>() <= std::numeric_limits<int64_t>::max();
  if (!fits || value.get<int64_t>() < min || value.get<int64_t>() > max)
    expected(fmt::format("an integer from {} to {}", min, max).c_str());
  return value.get<int64_t>();
}

double Json::number() const {
  if (!is_number()) expected("a number");
  return of(value_).get<double>();
}

std::string Json::string() const { return std::string(string_view()); }

std::string_view Json::string_view() const {
  if (!is_string()) expected("a string");
  return of(value_).get_ref<const std::string&>();
}

std::vector<int64_t> Json::integers(int64_t min, int64_t max) const {
  std::vector<int64_t> values;
  for (const Json& element : elements()) values.push_back(element.integer(min, max));
  return values;
}

std::optional<Json> Json::find(std::string_view key) const {
  if (!is_object()) expected("an object");
  const Value& value = of(value_);
  const auto found = value.find(key);
  if (found == value.end()) return std::nullopt;
  return Json(document_, &*found, member_key(key_, key));
}

Json Json::at(std::string_view key) const {
  auto found = find(key);
  if (!found) throw InputError("{}: the key '{}' is missing", where(), cut(member_key(key_, key)));
  return std::move(*found);
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  if (!is_object()) expected("an object");
  std::vector<std::pair<std::string, Json>> all;
  all.reserve(size());
  for (const auto& [key, member] : of(value_).items())
    all.emplace_back(key, Json(document_, &member, member_key(key_, key)));
  return all;
}

std::vector<std::string_view> Json::keys() const {
  if (!is_object()) expected("an object");
  const auto& object = of(value_).get_ref<const Value::object_t&>();
  std::vector<std::string_view> all;
  all.reserve(object.size());
  for (const auto& [key, member] : object) all.emplace_back(key);
  return all;
}

size_t Json::size() const {
  if (!is_array() && !is_object()) expected("an array or an object");
  return of(value_).size();
}

Json Json::at(size_t index) const {
  if (!is_array()) expected("an array");
  if (index >= size())
    throw InputError("{}: element {} is missing, found {} elements", where(), index, size());
  return Json(document_, &of(value_)[index], key_ + '[' + std::to_string(index) + ']');
}

std::vector<Json> Json::elements() const {
  if (!is_array()) expected("an array");
  std::vector<Json> all;
  all.reserve(size());
  for (size_t index = 0; index < size(); ++index) all.push_back(at(index));
  return all;
}

std::string Json::dump() const { return of(value_).dump(); }

std::string Json::where() const {
  return key_.empty() ? document_->origin : fmt::format("{}: key {}", document_->origin, cut(key_));
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || byte < 0x20) {
      quoted += fmt::format("\\u{:04x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::optional<Json> JsonLines::next() {
  std::string line;
  while (lines_.next(line)) {
    if (is_blank(line)) continue;
    JsonLimits limits;
    limits.max_bytes = Lines::kMaxBytes;
    limits.refuse_duplicate_keys = false;
    return Json::parse(line, fmt::format("{}:{}", lines_.path().string(), lines_.line_number()),
                       limits);
  }
  return std::nullopt;
}

}  // namespace lynceus::io
