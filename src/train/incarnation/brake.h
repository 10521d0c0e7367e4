// The crash-loop brake: a run that fails again and again without a newer checkpoint must not be
// started again by a scheduler.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "train/incarnation/record.h"

namespace lynceus::train {

constexpr size_t kMostFailures = 3;

/// The last incarnations in a row that failed without a newer checkpoint, oldest first. An end by
/// 0, 2, 3 or 5, or by request, counts neither as a failure nor as progress. A request that comes
/// because the job ends is none: a job that is too short would be started for ever. Neither does a
/// start count that a rank on one of `left_out` has failed, the nodes that are excluded now, unless
/// the run has failed without them since: then it is not the nodes. A start with --restart-anyway
/// begins a new row.
std::vector<Incarnation> failures_in_a_row(const std::vector<Incarnation>& incarnations,
                                           const std::vector<std::string>& left_out = {});

/// The message of a crash loop: the causes of the last three failures and what to do. nullopt:
/// there are fewer than kMostFailures in a row.
std::optional<std::string> crash_loop(const std::vector<Incarnation>& incarnations,
                                      const std::vector<std::string>& left_out = {});

}  // namespace lynceus::train
