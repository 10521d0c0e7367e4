// Texts as the scripts of the benchmarks cut them: Python's rules, on UTF-8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lynceus::evaluate {

/// Bytes of the white space at the beginning of `text`, as str.isspace() sees it; 0: none.
size_t leading_space(std::string_view text);
/// As str.split(): the words between white space.
std::vector<std::string> split_words(std::string_view text);
/// As str.strip().
std::string_view stripped(std::string_view text);
/// As text[:count]: the first characters, not bytes. Bytes that are not UTF-8 count as one each.
std::string_view first_characters(std::string_view text, size_t count);
/// As text.replace(from, to).
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

}  // namespace lynceus::evaluate
