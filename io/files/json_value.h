// Builds a JSON value and writes it as text. Members keep the order in which they were added. A
// double is written as the shortest text that reads back to the same bits; NaN and infinities
// become null.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lynceus::io {

class JsonValue {
 public:
  struct Member;

  JsonValue();  ///< null
  JsonValue(std::nullptr_t) : JsonValue() {}
  JsonValue(bool value);
  JsonValue(double value);
  template <std::signed_integral T>
  JsonValue(T value) : JsonValue(Signed{value}) {}
  template <std::unsigned_integral T>
  JsonValue(T value) : JsonValue(Unsigned{value}) {}
  JsonValue(const char* text);
  JsonValue(const std::string& text);
  JsonValue(const std::vector<int64_t>& numbers);
  JsonValue(const std::map<std::string, std::string>& members);
  JsonValue(const std::map<std::string, int64_t>& members);
  static JsonValue array(std::initializer_list<JsonValue> elements = {});
  static JsonValue object(std::initializer_list<Member> members = {});

  JsonValue(const JsonValue& other);
  JsonValue(JsonValue&& other) noexcept;
  JsonValue& operator=(JsonValue other) noexcept;
  ~JsonValue();

  /// Adds an element to an array.
  void push_back(JsonValue element);
  /// Adds a member to an object, or replaces the value of the member with this key.
  void set(const std::string& key, JsonValue value);
  bool contains(const std::string& key) const;

  bool is_array() const;
  bool is_number() const;
  /// Number of elements of an array or of members of an object.
  size_t size() const;
  /// Copies of elements and members. InternalError if the type is wrong or the member is missing.
  std::vector<JsonValue> elements() const;
  std::vector<Member> members() const;
  JsonValue at(const std::string& key) const;
  /// The content of a string; any other value as compact JSON.
  std::string text() const;

  /// Compact text, or lines indented by `indent` spaces per level. InternalError for a string that
  /// is not UTF-8.
  std::string dump(int indent = -1) const;
  /// Compact text; bytes that are not UTF-8 become U+FFFD.
  std::string dump_replacing() const;

 private:
  struct Data;
  struct Signed {
    int64_t value;
  };
  struct Unsigned {
    uint64_t value;
  };
  JsonValue(Signed number);
  JsonValue(Unsigned number);
  explicit JsonValue(std::unique_ptr<Data> data);

  std::unique_ptr<Data> data_;
};

struct JsonValue::Member {
  std::string key;
  JsonValue value;
};

}  // namespace lynceus::io
