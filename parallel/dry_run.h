// Simulates the schedules of all stages without MPI, under the strictest rule that a transport may
// follow (rendezvous: an exchange ends when each of its parts has met its counterpart at the
// neighbour; no transfer is buffered). Finds deadlocks, wrong order and mismatched transfers, and
// measures how many micro-batches a stage holds and how long it idles.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "parallel/schedule.h"

namespace lynceus::parallel {

/// Duration of one micro-batch on one stage, in any unit; transfers take no time.
struct StageCost {
  double forward = 1;
  double backward = 1;
};

/// One computation in simulated time.
struct TimelineEntry {
  int stage = 0;
  ActionKind kind = ActionKind::kForward;
  int micro_batch = 0;
  double begin = 0;
  double end = 0;
};

struct DryRun {
  bool finished = false;
  std::string report;  ///< empty if finished; else one line per stage: what it waits for
  /// Per stage, the maximum number of micro-batches between their forward and their backward.
  std::vector<int> peak_saved;
  std::vector<TimelineEntry> timeline;  ///< by stage, then by time
  double duration = 0;
  /// Idle share of all stages' time from 0 to duration; 0 if nothing ran.
  double bubble_fraction = 0;
};

/// `costs`: one per stage, or none for unit costs.
DryRun dry_run(std::span<const Schedule> schedules, std::span<const StageCost> costs = {});

/// One row per stage, time from left to right, dots where a stage idles.
std::string draw(const DryRun& run);

/// Text for --log.schedule: the drawing, the maximum number of micro-batches each stage holds, the
/// idle share. InternalError with the report of a run that did not finish.
std::string describe(const DryRun& run);

}  // namespace lynceus::parallel
