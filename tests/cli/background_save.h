// Runs whose checkpoints are written while training goes on, for their tests. The trial save before
// the first step is the first to reach a fault point; the action `delay` takes 4 s, in which many
// of their steps are done.
#pragma once

#include "run_program.h"

namespace lynceus::cli_test {

inline Arguments saving_arguments(const fs::path& run_directory, int steps, int every) {
  return train_arguments(run_directory) + Arguments{"--train.steps", std::to_string(steps),
                                                    "--checkpoint.every", std::to_string(every)};
}

inline size_t steps_of(const fs::path& run_directory) {
  return lines_of(run_directory / "metrics.jsonl").size();
}

inline bool is_committed(const fs::path& run_directory, int64_t step) {
  return fs::exists(checkpoint(run_directory, step) / io::kManifestName);
}

inline int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

}  // namespace lynceus::cli_test
