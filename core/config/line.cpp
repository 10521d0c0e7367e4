#include "core/config/line.h"

namespace lynceus {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

/// `#` begins a comment anywhere (Boost's rule), `;` at the start of a line or after a space.
size_t find_comment(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '#' ||
        (text[i] == ';' && (i == 0 || kSpace.find(text[i - 1]) != std::string_view::npos)))
      return i;
  return std::string_view::npos;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    out += letter == '\n' ? "\\n" : letter == '\r' ? "\\r" : std::string(1, letter);
  }
  return out;
}

std::optional<std::string> unquote(std::string_view text);

/// Whether a config file can hold the value only in quotes.
bool needs_quotes(const std::string& value) {
  return trimmed(value) != value || find_comment(value) != std::string_view::npos ||
         value.find_first_of("\n\r") != std::string::npos || unquote(value).has_value();
}

/// The value of a text in quotes, with a comment after it or none; nullopt for any other text, and
/// for a value that needs no quotes: they are then part of it.
std::optional<std::string> unquote(std::string_view text) {
  if (!text.starts_with('"')) return std::nullopt;
  std::string value;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      const std::string_view rest = text.substr(i + 1);
      if (!trimmed(rest.substr(0, find_comment(rest))).empty() || !needs_quotes(value))
        return std::nullopt;
      return value;
    }
    if (text[i] != '\\') {
      value += text[i];
      continue;
    }
    constexpr std::string_view kEscapes = "nr\\\"", kMeanings = "\n\r\\\"";
    const size_t escape = ++i < text.size() ? kEscapes.find(text[i]) : std::string_view::npos;
    if (escape == std::string_view::npos) return std::nullopt;
    value += kMeanings[escape];
  }
  return std::nullopt;
}

}  // namespace

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

ConfigLine parse_config_line(const std::string& raw) {
  const size_t equals = raw.find('=');
  if (equals != std::string::npos && find_comment(raw) > equals) {
    const size_t begin = raw.find_first_not_of(kSpace, equals + 1);
    if (begin != std::string::npos)
      if (auto value = unquote(std::string_view(raw).substr(begin)))
        return {trimmed(std::string_view(raw).substr(0, equals + 1)) + " quoted", std::move(value)};
  }
  return {trimmed(std::string_view(raw).substr(0, find_comment(raw))), std::nullopt};
}

std::string value_in_file(const std::string& value) {
  return needs_quotes(value) ? '"' + escaped(value) + '"' : value;
}

}  // namespace lynceus
