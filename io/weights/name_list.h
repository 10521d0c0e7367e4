// Names of tensors in messages: the first few and the number of the others, so that a message about
// a whole model stays one sentence.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace lynceus::io {

/// "a, b, c and 9 others".
std::string name_list(const std::vector<std::string>& names);

/// Tensors of a file that are not as a model expects; each text begins with a name.
struct Mismatches {
  std::vector<std::string> missing, of_another_shape, unexpected;

  size_t count() const { return missing.size() + of_another_shape.size() + unexpected.size(); }
  /// "3 missing: a, b, c; 1 unexpected: d".
  std::string to_string() const;
};

/// The longest prefix that ends with '.' and begins all names; empty if there is none.
std::string shared_prefix(std::span<const std::string> names);

}  // namespace lynceus::io
