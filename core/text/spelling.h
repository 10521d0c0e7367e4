// Names that a user may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lynceus {

/// Levenshtein distance: the letters to change, add or remove to make `b` of `a`.
size_t edit_distance(std::string_view a, std::string_view b);

/// Whether a name at this distance is near enough to `typed` to be what the user meant.
bool is_near(std::string_view typed, size_t distance);

/// The nearest of `names` to `typed`, a beginning of a name included ("eval" for "evaluate");
/// empty: none is near.
std::string nearest_name(std::string_view typed, const std::vector<std::string>& names);

}  // namespace lynceus
