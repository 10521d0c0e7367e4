#include "core/text/spelling.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lynceus {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

bool is_near(std::string_view typed, size_t distance) {
  return distance <= std::max<size_t>(2, typed.size() / 3);
}

std::string nearest_name(std::string_view typed, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const std::string& name : names) {
    const bool begins = typed.size() >= 3 && name.starts_with(typed);
    const size_t distance = begins ? 1 : edit_distance(typed, name);
    // Two letters of a name of three may be any other word.
    if (distance >= best_distance || distance >= name.size() || !is_near(typed, distance)) continue;
    best = name;
    best_distance = distance;
  }
  return best;
}

}  // namespace lynceus
