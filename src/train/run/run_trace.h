// What a run shows of how it computes: the pipeline schedule of a step, and the Chrome traces of
// log.trace.
#pragma once

#include <string>

#include "train/config.h"
#include "train/data/replica_batch.h"
#include "train/run/training_run.h"

namespace lynceus::train {

/// Prints the order in which the stages compute and exchange the micro-batches of `batch`; nothing
/// if it has none.
void print_schedule(const Runtime& rt, const std::string& schedule, const ReplicaBatch& batch);

/// Writes the trace of this rank up to the last step and empties `range`; nothing if no trace was
/// begun or it is already written. A file that cannot be written is a warning.
void write_trace(const TrainingRun& run, TraceRange* range);

}  // namespace lynceus::train
