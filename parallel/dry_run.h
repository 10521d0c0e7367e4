// Runs the schedules of all stages without MPI, under the strictest rule a transport may follow
// (rendezvous: an exchange ends when every part of it has met its counterpart at the neighbour, and
// nothing is buffered). Finds stalls, wrong order and mismatched transfers, measures how many
// micro-batches a stage keeps and how long it idles. Used by --log.schedule, and by the tests that
// hold for every schedule.
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
  std::string report;  ///< empty if finished; else one line a stage: who waits for what
  /// Per stage, the most micro-batches that were forwarded and still waited for their backward.
  std::vector<int> peak_saved;
  std::vector<TimelineEntry> timeline;  ///< stage after stage, in order of time within one
  double duration = 0;
  /// Idle share of all stages' time from 0 to duration; 0 if nothing ran.
  double bubble_fraction = 0;
};

/// `costs`: one a stage, or none for unit costs.
DryRun dry_run(std::span<const Schedule> schedules, std::span<const StageCost> costs = {});

/// A row a stage, time from left to right, dots where a stage idles.
std::string draw(const DryRun& run);

/// Text for --log.schedule: the drawing, the most micro-batches each stage holds, the idle share.
/// InternalError with the report of a run that did not finish.
std::string describe(const DryRun& run);

}  // namespace lynceus::parallel
