// Names of tensors in messages: the first few and the number of the others, so that a message about
// a whole model stays one sentence.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace lynceus::io {

/// "a, b, c and 9 others".
std::string name_list(const std::vector<std::string>& names);

/// The longest prefix that ends with '.' and begins all names; empty if there is none.
std::string common_prefix(std::span<const std::string> names);

}  // namespace lynceus::io
