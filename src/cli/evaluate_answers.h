// `lynceus evaluate BENCHMARK --answers PATH`: scores answers that exist, without a model and
// without MPI.
#pragma once

#include "cli/command.h"

namespace lynceus::cli {

/// Whether the arguments of `evaluate` begin with a benchmark other than heldout, or name answers,
/// and no model has to answer before.
bool scores_answers(const Arguments& arguments);

/// One process. Prints one JSON object, or a table on a terminal.
ExitCode run_evaluate_answers(const Arguments& arguments);

}  // namespace lynceus::cli
