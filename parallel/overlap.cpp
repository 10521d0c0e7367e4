#include "parallel/overlap.h"

#include <algorithm>

#include "core/error.h"

namespace lynceus::parallel {

namespace {

struct Part {
  const char* name;
  bool Overlap::*on;
};
constexpr Part kParts[] = {{"gradients", &Overlap::gradients},
                           {"pipeline", &Overlap::pipeline},
                           {"tensor", &Overlap::tensor},
                           {"vision", &Overlap::vision}};

}  // namespace

Overlap parse_overlap(std::string_view text) {
  if (text == "all") return {};
  Overlap overlap = Overlap::none();
  if (text == "none") return overlap;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view name = text.substr(begin, end - begin);
    bool known = false;
    for (const Part& part : kParts)
      if (name == part.name) known = overlap.*part.on = true;
    if (!known)
      throw UsageError(
          "parallel.overlap: expected all, none, or some of gradients,pipeline,tensor,vision; "
          "found '{}'",
          text);
    begin = end + 1;
  }
  return overlap;
}

}  // namespace lynceus::parallel
