#include "io/files/json_value.h"

#include <nlohmann/json.hpp>

#include "core/check.h"
#include "core/error.h"

namespace lynceus::io {

struct JsonValue::Data {
  nlohmann::ordered_json json;

  static std::unique_ptr<Data> make(nlohmann::ordered_json json) {
    auto data = std::make_unique<Data>();
    data->json = std::move(json);
    return data;
  }
};

JsonValue::JsonValue() : data_(std::make_unique<Data>()) {}
JsonValue::JsonValue(bool value) : JsonValue(Data::make(value)) {}
JsonValue::JsonValue(double value) : JsonValue(Data::make(value)) {}
JsonValue::JsonValue(Signed number) : JsonValue(Data::make(number.value)) {}
JsonValue::JsonValue(Unsigned number) : JsonValue(Data::make(number.value)) {}
JsonValue::JsonValue(const char* text) : JsonValue(Data::make(text)) {}
JsonValue::JsonValue(const std::string& text) : JsonValue(Data::make(text)) {}
JsonValue::JsonValue(const std::vector<int64_t>& numbers) : JsonValue(Data::make(numbers)) {}
JsonValue::JsonValue(const std::map<std::string, std::string>& members)
    : JsonValue(Data::make(members)) {}
JsonValue::JsonValue(const std::map<std::string, int64_t>& members)
    : JsonValue(Data::make(members)) {}
JsonValue::JsonValue(std::unique_ptr<Data> data) : data_(std::move(data)) {}

JsonValue JsonValue::array(std::initializer_list<JsonValue> elements) {
  JsonValue value(Data::make(nlohmann::ordered_json::array()));
  for (const JsonValue& element : elements) value.push_back(element);
  return value;
}

JsonValue JsonValue::object(std::initializer_list<Member> members) {
  JsonValue value(Data::make(nlohmann::ordered_json::object()));
  for (const Member& member : members) value.set(member.key, member.value);
  return value;
}

JsonValue::JsonValue(const JsonValue& other) : data_(Data::make(other.data_->json)) {}
JsonValue::JsonValue(JsonValue&& other) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue other) noexcept {
  data_ = std::move(other.data_);
  return *this;
}
JsonValue::~JsonValue() = default;

void JsonValue::push_back(JsonValue element) {
  LYNCEUS_CHECK(is_array(), "push_back to a JSON {}", data_->json.type_name());
  data_->json.push_back(std::move(element.data_->json));
}

void JsonValue::set(const std::string& key, JsonValue value) {
  LYNCEUS_CHECK(data_->json.is_object(), "member '{}' of a JSON {}", key, data_->json.type_name());
  data_->json[key] = std::move(value.data_->json);
}

bool JsonValue::contains(const std::string& key) const { return data_->json.contains(key); }

bool JsonValue::is_array() const { return data_->json.is_array(); }
bool JsonValue::is_number() const { return data_->json.is_number(); }
size_t JsonValue::size() const { return data_->json.size(); }

std::vector<JsonValue> JsonValue::elements() const {
  LYNCEUS_CHECK(is_array(), "elements of a JSON {}", data_->json.type_name());
  std::vector<JsonValue> all;
  all.reserve(size());
  for (const auto& element : data_->json) all.push_back(JsonValue(Data::make(element)));
  return all;
}

std::vector<JsonValue::Member> JsonValue::members() const {
  LYNCEUS_CHECK(data_->json.is_object(), "members of a JSON {}", data_->json.type_name());
  std::vector<Member> all;
  for (const auto& [key, member] : data_->json.items())
    all.push_back({key, JsonValue(Data::make(member))});
  return all;
}

JsonValue JsonValue::at(const std::string& key) const {
  LYNCEUS_CHECK(contains(key), "no member '{}' in a JSON {}", key, data_->json.type_name());
  return JsonValue(Data::make(data_->json.at(key)));
}

std::string JsonValue::text() const {
  return data_->json.is_string() ? data_->json.get<std::string>() : dump();
}

std::string JsonValue::dump(int indent) const {
  try {
    return data_->json.dump(indent);
  } catch (const nlohmann::json::exception& error) {
    throw InternalError("JSON cannot be written: {}", error.what());
  }
}

std::string JsonValue::dump_replacing() const {
  return data_->json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace lynceus::io
