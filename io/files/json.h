// Reads JSON from untrusted files. Parsing is strict (RFC 8259, valid UTF-8, nothing after the
// value; a byte order mark before it is ignored) and limits size, depth and number of values before
// memory is allocated. Every access checks the type. The parser is nlohmann-json, which this header
// does not include.
//
// Errors: InputError naming the file and the position (syntax) or the key (content).
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/files/lines.h"

namespace lynceus::io {

struct JsonLimits {
  uint64_t max_bytes = 64ull << 20;
  int max_depth = 64;
  /// A value of two bytes ("0,") takes dozens of bytes in memory; this limits the total.
  uint64_t max_values = 2'000'000;
  bool refuse_duplicate_keys = true;  ///< otherwise the last one is used
};

namespace internal {
struct JsonMaker;
}

/// One value of a parsed document. A handle that keeps the document alive; cheap to copy.
class Json {
 public:
  /// `origin` names the text in messages, e.g. a file name.
  static Json parse(std::string_view text, const std::string& origin,
                    const JsonLimits& limits = {});
  static Json read(const std::filesystem::path& path, const JsonLimits& limits = {});

  bool is_null() const;
  bool is_boolean() const;
  bool is_number() const;
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  /// The value as the given type. Otherwise InputError naming the key, what was expected and found.
  bool boolean() const;
  int64_t integer(int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max()) const;
  double number() const;
  std::string string() const;
  std::string_view string_view() const;  ///< as string(); lives as long as the document
  /// An array of integers within [min, max].
  std::vector<int64_t> integers(int64_t min = std::numeric_limits<int64_t>::min(),
                                int64_t max = std::numeric_limits<int64_t>::max()) const;

  /// A member of an object. If it is missing, at() throws InputError and find() returns nullopt.
  Json at(std::string_view key) const;
  std::optional<Json> find(std::string_view key) const;
  /// All members, sorted by key.
  std::vector<std::pair<std::string, Json>> members() const;

  /// The keys of an object, sorted. They live as long as the document.
  std::vector<std::string_view> keys() const;

  /// Number of elements of an array or of members of an object.
  size_t size() const;
  /// Elements of an array. InputError if the index is too large.
  Json at(size_t index) const;
  std::vector<Json> elements() const;

  /// The value as compact JSON text.
  std::string dump() const;
  /// "FILE: key a.b[3]", for the caller's messages.
  std::string where() const;

 private:
  friend internal::JsonMaker;
  struct Document;
  Json(std::shared_ptr<const Document> document, const void* value, std::string key)
      : document_(std::move(document)), value_(value), key_(std::move(key)) {}
  [[noreturn]] void expected(const char* what) const;

  std::shared_ptr<const Document> document_;
  const void* value_;  // a nlohmann::json inside document_
  std::string key_;
};

/// `text` as a JSON string. UTF-8 is not checked here, only when the result is parsed.
std::string json_quoted(std::string_view text);

/// Reads a JSONL file: one value per line of at most 16 MiB. Blank lines are skipped.
class JsonLines {
 public:
  explicit JsonLines(const std::filesystem::path& path) : lines_(path) {}

  /// The next value, or nullopt at the end. After an InputError for a malformed line, the next call
  /// continues with the line after it.
  std::optional<Json> next();
  /// Line of the last value that next() returned or refused, counted from 1.
  int64_t line_number() const { return lines_.line_number(); }

 private:
  Lines lines_;
};

}  // namespace lynceus::io
