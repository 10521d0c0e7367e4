#include "evaluate/words.h"

#include <algorithm>

namespace lynceus::evaluate {
namespace {

/// White space beyond ASCII in UTF-8.
constexpr std::string_view kWideSpaces[] = {"\u0085", "\u00A0", "\u1680", "\u2000", "\u2001",
                                            "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
                                            "\u2007", "\u2008", "\u2009", "\u200A", "\u2028",
                                            "\u2029", "\u202F", "\u205F", "\u3000"};

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first == ' ' || (first >= '\t' && first <= '\r') || (first >= 0x1C && first <= 0x1F))
    return 1;
  if (first < 0x80) return 0;
  for (const std::string_view space : kWideSpaces)
    if (text.starts_with(space)) return space.size();
  return 0;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool is_open = false;
  while (!text.empty()) {
    const size_t space = leading_space(text);
    if (space == 0) {
      if (!is_open) words.emplace_back();
      words.back() += text[0];
    }
    is_open = space == 0;
    text.remove_prefix(std::max<size_t>(space, 1));
  }
  return words;
}

std::string_view stripped(std::string_view text) {
  while (const size_t space = leading_space(text)) text.remove_prefix(space);
  size_t end = 0;  // of the last character that is no space
  for (size_t at = 0; at < text.size();) {
    const size_t space = leading_space(text.substr(at));
    at += std::max<size_t>(space, 1);
    if (space == 0) end = at;
  }
  return text.substr(0, end);
}

std::string_view first_characters(std::string_view text, size_t count) {
  size_t at = 0;
  for (; count > 0 && at < text.size(); --count) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    for (size_t i = 0; i < more && at < text.size() && continues(text[at]); ++i) ++at;
  }
  return text.substr(0, at);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t at = 0;;) {
    const size_t found = text.find(from, at);
    result += text.substr(at, found - at);
    if (found == std::string_view::npos) return result;
    result += to;
    at = found + from.size();
  }
}

}  // namespace lynceus::evaluate
