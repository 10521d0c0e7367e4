#include "train/incarnation/brake.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "core/text/utc.h"

namespace lynceus::train {
namespace {

constexpr size_t kMostNodes = 4;  // that a line names

/// Of an incarnation without progress: whether a scheduler or a script may start the run again.
bool is_failure(const Incarnation& incarnation) {
  const IncarnationEnd& end = *incarnation.ended;
  if (end.by_request) return false;
  for (const ExitCode code :
       {ExitCode::kDone, ExitCode::kUsage, ExitCode::kInput, ExitCode::kNumeric})
    if (end.exit_code == static_cast<int64_t>(code)) return false;
  return true;
}

bool failed_on(const Incarnation& incarnation, const std::vector<std::string>& nodes) {
  for (const RankFailure& failure : incarnation.ended->failures)
    if (std::find(nodes.begin(), nodes.end(), failure.node) != nodes.end()) return true;
  return false;
}

/// Whether its job ended before a step and a save were done.
bool lacked_time(const Incarnation& incarnation) {
  const IncarnationEnd& end = *incarnation.ended;
  return end.exit_code == static_cast<int64_t>(ExitCode::kRequeue) && !end.by_request &&
         end.last_step <= incarnation.first_step.value_or(incarnation.committed_step);
}

std::string nodes_text(const std::vector<std::string>& nodes) {
  const size_t shown = std::min(nodes.size(), kMostNodes);
  const std::string more =
      nodes.size() > shown ? fmt::format(" and {} more", nodes.size() - shown) : "";
  return fmt::format("{}{}",
                     fmt::join(nodes.begin(), nodes.begin() + static_cast<long>(shown), ","), more);
}

std::string describe(const Incarnation& incarnation) {
  const std::string job =
      incarnation.job.empty()
          ? ""
          : fmt::format(", job {} restart {}", incarnation.job, incarnation.restart_count);
  return fmt::format("began {} on {}{}: {}", local_text(incarnation.begin),
                     nodes_text(incarnation.nodes), job, incarnation.ended->cause);
}

}  // namespace

std::vector<Incarnation> failures_in_a_row(const std::vector<Incarnation>& incarnations,
                                           const std::vector<std::string>& left_out) {
  std::vector<Incarnation> row;
  bool by_nodes = true;  // the last failure was on a node that is left out now
  for (auto at = incarnations.rbegin(); at != incarnations.rend(); ++at) {
    if (!at->ended || at->made_progress()) break;
    if (is_failure(*at)) {
      const bool by_node = failed_on(*at, left_out);
      if (row.empty() && !by_node) by_nodes = false;
      if (!by_nodes || !by_node) row.push_back(*at);
    }
    if (at->restart_anyway) break;
  }
  std::reverse(row.begin(), row.end());
  return row;
}

std::optional<std::string> crash_loop(const std::vector<Incarnation>& incarnations,
                                      const std::vector<std::string>& left_out) {
  const std::vector<Incarnation> row = failures_in_a_row(incarnations, left_out);
  if (row.size() < kMostFailures) return std::nullopt;
  std::string text = fmt::format(
      "crash loop: the last {} starts of this run ended without a newer checkpoint than step {}; "
      "it is not started again:",
      row.size(), row.back().ended->committed_step);
  for (size_t i = row.size() - kMostFailures; i < row.size(); ++i)
    text += fmt::format("\n  {}. {}", i + 1, describe(row[i]));
  if (std::all_of(row.end() - kMostFailures, row.end(), lacked_time))
    text +=
        "\nthe jobs are too short: each ended before there was time for a step and a save. Ask for "
        "more time (--time of `lynceus submit`, train.max_hours)";
  else
    text += "\nremove the cause (log/train.log and the output of the job have the details)";
  return text + ", then start once with --restart-anyway";
}

}  // namespace lynceus::train
