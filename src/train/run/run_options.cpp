// Checks the options that precede all sections.
#include "train/run/run_options.h"

#include <algorithm>

namespace lynceus::train {
namespace {

bool is_step(const std::string& text) {
  return !text.empty() && text.size() <= 18 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void RunOptions::check(ConfigFaults* faults) const {
  faults->expect(!run.empty(), "run", "a directory", "none");
  faults->expect(resume == "auto" || resume == "never" || is_step(resume), "resume",
                 "auto, never or a step", fmt::format("'{}'", resume));
  faults->expect(!init_frozen || !init.empty(), "init-frozen", "a file in --init", "none");
  faults->at_least("stop-after", stop_after, 0);
}

}  // namespace lynceus::train
