// The bounded JSON parser's event handler, and checked access to its values.
#include "io/json.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace lynceus::io {
namespace {

using Value = nlohmann::json;

/// Names in messages may come from hostile files.
std::string cut(const std::string& text) {
  constexpr size_t kMaxShown = 200;
  return text.size() <= kMaxShown ? text : text.substr(0, kMaxShown) + "...";
}

/// Builds the document from the parser's events and stops at the limits, before the value that
/// would pass them is made.
class BoundedBuilder {
 public:
  BoundedBuilder(const std::string& origin, const JsonLimits& limits)
      : origin_(origin), limits_(limits) {}

  Value take() { return std::move(root_); }

  bool null() { return add(nullptr) != nullptr; }
  bool boolean(bool value) { return add(value) != nullptr; }
  bool number_integer(int64_t value) { return add(value) != nullptr; }
  bool number_unsigned(uint64_t value) { return add(value) != nullptr; }
  bool number_float(double value, const std::string&) { return add(value) != nullptr; }
  bool string(std::string& value) { return add(std::move(value)) != nullptr; }
  bool binary(Value::binary_t&) { return false; }  // not part of JSON text

  bool start_object(size_t) { return open(Value::object()); }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(Value::array()); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    const auto [place, inserted] = open_.back()->get_ref<Value::object_t&>().try_emplace(name);
    if (!inserted && limits_.refuse_duplicate_keys)
      throw InputError("{}: the key '{}' stands twice in one object", origin_, cut(name));
    member_ = &place->second;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    // The library's text reads "[json.exception.parse_error.101] parse error at line ...: reason".
    std::string_view reason = error.what();
    if (const size_t end = reason.find("] "); end != std::string_view::npos)
      reason.remove_prefix(end + 2);
    throw InputError("{}: not valid JSON at byte {}: {}", origin_, position, reason.substr(0, 400));
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
    // An enclosing array does not grow before this value is closed, so the pointer stays good.
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
};

const Value& of(const void* value) { return *static_cast<const Value*>(value); }

std::string shortened(const Value& value) {
  const std::string text = value.is_structured()
                               ? value.type_name()
                               : value.dump(-1, ' ', false, Value::error_handler_t::replace);
  return cut(text);
}

}  // namespace

struct Json::Document {
  std::string origin;
  Value root;
};

Json Json::parse(std::string_view text, const std::string& origin, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes)
    throw InputError("{}: {} bytes of JSON, at most {} are accepted", origin, text.size(),
                     limits.max_bytes);
  if (text.starts_with("\xEF\xBB\xBF"))
    throw InputError("{}: begins with a byte order mark, which JSON does not allow", origin);
  BoundedBuilder builder(origin, limits);
  if (!Value::sax_parse(text.begin(), text.end(), &builder))
    throw InputError("{}: not valid JSON", origin);
  auto document = std::make_shared<Document>(Document{origin, builder.take()});
  const Value* root = &document->root;
  return Json(std::move(document), root, "");
}

Json Json::read(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse(read_text(path, limits.max_bytes), path.string(), limits);
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

std::string Json::string() const {
  if (!is_string()) expected("a string");
  return of(value_).get<std::string>();
}

std::vector<int64_t> Json::integers(int64_t min, int64_t max) const {
  std::vector<int64_t> values;
  for (const Json& element : elements()) values.push_back(element.integer(min, max));
  return values;
}

std::optional<Json> Json::find(const std::string& key) const {
  if (!is_object()) expected("an object");
  const Value& value = of(value_);
  const auto found = value.find(key);
  if (found == value.end()) return std::nullopt;
  return Json(document_, &*found, key_.empty() ? key : key_ + "." + key);
}

Json Json::at(const std::string& key) const {
  const auto found = find(key);
  if (!found)
    throw InputError("{}: the key '{}' is missing", where(),
                     cut(key_.empty() ? key : key_ + "." + key));
  return *found;
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  if (!is_object()) expected("an object");
  std::vector<std::pair<std::string, Json>> all;
  for (const auto& [key, member] : of(value_).items())
    all.emplace_back(key, Json(document_, &member, key_.empty() ? key : key_ + "." + key));
  return all;
}

size_t Json::size() const {
  if (!is_array() && !is_object()) expected("an array or an object");
  return of(value_).size();
}

Json Json::at(size_t index) const {
  if (!is_array()) expected("an array");
  if (index >= size())
    throw InputError("{}: element {} is missing, there are {}", where(), index, size());
  return Json(document_, &of(value_)[index], fmt::format("{}[{}]", key_, index));
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

JsonLines::JsonLines(const std::filesystem::path& path)
    : file_(File::open(path)), size_(file_.size()) {}

bool JsonLines::fill() {
  constexpr uint64_t kChunkBytes = 1ull << 20;
  const size_t count = std::min(kChunkBytes, size_ - offset_);
  if (count == 0) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t old = buffer_.size();
  buffer_.resize(old + count);
  file_.read_at(offset_, buffer_.data() + old, count);
  offset_ += count;
  return true;
}

bool JsonLines::next_line(std::string& line) {
  size_t searched = 0;
  size_t end;
  bool too_long = false;
  while ((end = buffer_.find('\n', begin_ + searched)) == std::string::npos) {
    searched = buffer_.size() - begin_;
    if (searched > kMaxLineBytes) {  // what is refused is not kept, only its end is looked for
      too_long = true;
      begin_ = buffer_.size();
      searched = 0;
    }
    if (!fill()) break;
  }
  if (end == std::string::npos) end = buffer_.size();
  if (end == begin_ && end == buffer_.size() && !too_long) return false;
  line.assign(buffer_, begin_, end - begin_);
  begin_ = std::min(end + 1, buffer_.size());
  ++line_number_;
  if (too_long)
    throw InputError("{}: line {} is longer than {} bytes", file_.path().string(), line_number_,
                     kMaxLineBytes);
  return true;
}

std::optional<Json> JsonLines::next() {
  std::string line;
  while (next_line(line)) {
    const bool blank =
        std::all_of(line.begin(), line.end(), [](unsigned char c) { return std::isspace(c) != 0; });
    if (blank) continue;
    JsonLimits limits;
    limits.max_bytes = kMaxLineBytes;
    limits.refuse_duplicate_keys = false;
    return Json::parse(line, fmt::format("{}:{}", file_.path().string(), line_number_), limits);
  }
  return std::nullopt;
}

}  // namespace lynceus::io
