#include "prepare/rows/row_text.h"

#include <algorithm>
#include <utility>

#include "core/text/text_encoding.h"
#include "io/files/decimal.h"
#include "prepare/rows/row_keys.h"
#include "prepare/rows/source.h"

namespace lynceus::prepare {

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string text_of(const io::Json& value) {
  std::string text = trimmed(value.string());
  if (text.empty()) {
    throw RejectedRow("empty text", "{}: expected a text, found an empty one", value.where());
  }
  return text;
}

std::string text_of_bytes(std::string_view bytes, const std::string& where) {
  bytes.remove_prefix(byte_order_mark(bytes));
  if (!is_utf8(bytes)) {
    const char* wide = wide_encoding(bytes);
    throw InputError("{}: expected text in UTF-8, found {}", where,
                     wide != nullptr ? wide : "another encoding, such as Latin-1");
  }
  io::JsonLimits limits;
  limits.max_bytes = 8 * bytes.size() + 2;  // escapes make text longer
  return text_of(io::Json::parse(io::json_quoted(std::string(bytes)), where, limits));
}

bool is_blank_text(std::string_view bytes) {
  bytes.remove_prefix(byte_order_mark(bytes));
  return bytes.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::vector<std::string> lines_of_text(std::string_view bytes, const std::string& where) {
  const std::string text = text_of_bytes(bytes, where);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = trimmed(text.substr(begin, end - begin));
    if (!line.empty()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string> texts_of(const io::Json& value, const char* kind, LeftOut& omitted) {
  if (!value.is_array()) return {text_of(value)};
  std::vector<std::string> texts;
  size_t empty = 0;
  for (const io::Json& element : value.elements()) {
    if (has_content(element))
      texts.push_back(text_of(element));
    else
      ++empty;
  }
  if (texts.empty())
    throw RejectedRow("empty text", "{}: expected at least one text, found {}", value.where(),
                      empty == 0 ? "an empty list" : "only empty ones");
  omitted = left_out(kind, empty);
  return texts;
}

std::string id_of(const std::optional<io::Json>& id) {
  if (!id || id->is_null()) return "";
  if (id->is_string()) return id->string();
  if (id->is_number()) return io::decimal_of(*id);
  return id->dump();
}

std::string key_of(const io::Json& row, int64_t index) {
  const std::string id = id_of(row.find("id"));
  return id.empty() ? fmt::format("row {}", index + 1) : id;
}

std::string path_of(const io::Json& value) {
  if (!value.is_object()) return text_of(value);
  const auto path = value.find("path");
  return text_of(path && !path->is_null() ? *path : value.at("url"));
}

std::string keys_of(const io::Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.members()) keys += (keys.empty() ? "" : ", ") + key;
  return keys.empty() ? "none" : keys.substr(0, 400);
}

LeftOut keep_first(std::vector<std::string>& texts, const char* kind) {
  const size_t further = texts.size() - 1;
  texts.resize(1);
  return left_out(kind, further);
}

std::vector<std::string> first_text_of(const io::Json& value, const char* kind, LeftOut& omitted) {
  if (!value.is_array()) return {text_of(value)};
  std::vector<std::string> first;
  size_t further = 0;
  for (const io::Json& element : value.elements()) {
    if (!has_content(element)) continue;
    if (first.empty())
      first.push_back(text_of(element));
    else
      ++further;
  }
  if (first.empty()) return texts_of(value, kind, omitted);  // says what is wrong
  omitted = left_out(kind, further);
  return first;
}

std::vector<io::Sample> one_sample_per_answer(const io::Sample& sample,
                                              const std::vector<std::string>& answers) {
  std::vector<io::Sample> samples(answers.size(), sample);
  for (size_t i = 0; i < answers.size(); ++i) {
    samples[i].turns.push_back({io::TurnRole::kAssistant, answers[i]});
    if (answers.size() > 1) samples[i].key += fmt::format("#{}", i + 1);
  }
  return samples;
}

}  // namespace lynceus::prepare
