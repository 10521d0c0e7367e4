// `lynceus evaluate BENCHMARK --run RUN` or `--checkpoint PATH`: a model answers the questions of a
// benchmark as `lynceus generate` does, and the answers are scored.
#pragma once

#include "cli/command.h"

namespace lynceus::cli {

/// Whether the arguments of `evaluate` begin with a benchmark other than heldout and name a model,
/// but no answers.
bool evaluates_run(const Arguments& arguments);

/// On all ranks. Writes the answers and prints the scores.
ExitCode run_evaluate_run(const Arguments& arguments);

}  // namespace lynceus::cli
