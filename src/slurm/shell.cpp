#include "slurm/shell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace lynceus::slurm {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool only(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string shell_word(std::string_view text) {
  if (!text.empty() && only(text, "_-.,:=/%+@")) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string shell_array(const std::vector<std::string>& texts) {
  std::vector<std::string> words;
  for (const std::string& text : texts) words.push_back(shell_word(text));
  return fmt::format("({})", fmt::join(words, " "));
}

bool fits_script(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool fits_directive(std::string_view text) {
  return !text.empty() && only(text, "_-.,:=/%+@&|()[]*");
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t comma; (comma = text.find(',', begin)) != std::string_view::npos; begin = comma + 1)
    parts.emplace_back(text.substr(begin, comma - begin));
  parts.emplace_back(text.substr(begin));
  return parts;
}

}  // namespace lynceus::slurm
