#include "train/incarnation/incarnation_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/error.h"
#include "core/log.h"
#include "core/text/utc.h"
#include "io/checkpoint/checkpoint.h"
#include "io/files/json.h"
#include "train/incarnation/brake.h"
#include "train/incarnation/job_clock.h"
#include "train/incarnation/node_ledger.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr double kUnseenSeconds = 15;  // between two heartbeats, and a margin

/// Adds the steps that metrics.jsonl has after `first_step`.
void count_steps(const fs::path& metrics, int64_t first_step, IncarnationEnd* end) {
  if (!io::file_exists(metrics) || fs::file_size(metrics) == 0) return;
  io::JsonLines lines(metrics);
  while (true) {
    try {
      const auto line = lines.next();
      if (!line) return;
      const int64_t step = line->at("step").integer();
      const auto seconds = line->find("step_seconds");
      if (!seconds || step <= first_step) continue;
      (step <= end->committed_step ? end->seconds.step : end->seconds.lost) += seconds->number();
      end->last_step = std::max(end->last_step, step);
      end->largest_step = std::max(end->largest_step, seconds->number());
    } catch (const InputError&) {  // cut off by a crash
    }
  }
}

/// When a killed incarnation was last seen: the last heartbeat of its lease, or its last step.
double last_seen(const Incarnation& killed, const IncarnationStart& start,
                 const fs::path& metrics) {
  double seen = killed.begin;
  if (start.former_owner && start.former_owner->token == killed.token)
    seen = std::max(seen, parse_utc(start.former_owner->heartbeat).value_or(0));
  struct stat written {};
  if (killed.first_step && stat(metrics.c_str(), &written) == 0)
    seen = std::max(seen, static_cast<double>(written.st_mtim.tv_sec));
  return std::min(seen, unix_now());
}

std::string cause_of_death(const Incarnation& killed, const IncarnationEnd& end) {
  std::string text = killed.first_step ? fmt::format("killed or lost after step {}",
                                                     std::max(end.last_step, *killed.first_step))
                                       : "killed or lost while loading";
  text += fmt::format(", last seen {}", local_text(end.end));
  if (killed.job_end > 0 && end.end >= killed.job_end - kUnseenSeconds)
    text += fmt::format(", when its job ended at {} before a checkpoint was saved",
                        local_text(killed.job_end));
  for (const RankFailure& failure : end.failures)
    text += failure.rank < 0
                ? fmt::format("; {}: {}", failure.node, failure.cause)
                : fmt::format("; rank {} on {}: {}", failure.rank, failure.node, failure.cause);
  return text;
}

/// The end of an incarnation that wrote none.
IncarnationEnd end_of_killed(const Incarnation& killed, const IncarnationStart& start) {
  IncarnationEnd end;
  end.killed = true;
  end.committed_step = newest_committed_step(start.run_directory);
  const fs::path metrics = start.run_directory / "metrics.jsonl";
  if (killed.first_step) count_steps(metrics, *killed.first_step, &end);
  end.end = last_seen(killed, start, metrics);
  end.seconds.total = end.end - killed.begin;
  end.seconds.start = killed.start_seconds;
  end.seconds.load = killed.load_seconds;
  end.failures = read_failure_notes(start.run_directory);
  if (!start.owner.job.empty())
    for (RankFailure& failure : nodes_out_of_service(killed.nodes))
      end.failures.push_back(std::move(failure));
  end.cause = cause_of_death(killed, end);
  return end;
}

/// Each node once, in the order of ranks.
std::vector<std::string> without_repeats(const std::vector<std::string>& nodes) {
  std::vector<std::string> found;
  for (const std::string& node : nodes)
    if (std::find(found.begin(), found.end(), node) == found.end()) found.push_back(node);
  return found;
}

/// -> the excluded nodes that do not take part now.
std::vector<std::string> log_excluded_nodes(const IncarnationStart& start) {
  const std::vector<std::string> nodes = refresh_excluded_nodes(start.run_directory);
  if (!nodes.empty())
    log::warn("{} failed this run {} times or more: the next job should leave it out: {}",
              fmt::join(nodes, ","), kFailuresOfABadNode,
              (start.run_directory / kExcludedNodesName).string());
  std::vector<std::string> left_out;
  for (const std::string& node : nodes)
    if (std::find(start.nodes.begin(), start.nodes.end(), node) == start.nodes.end())
      left_out.push_back(node);
  return left_out;
}

}  // namespace

int64_t newest_committed_step(const fs::path& run_directory) {
  if (!fs::exists(run_directory / "checkpoints")) return 0;
  const auto checkpoints = io::committed_checkpoints(run_directory);
  if (checkpoints.empty()) return 0;
  return io::step_in(checkpoints.front().filename().string(), io::kStepPrefix).value_or(0);
}

int64_t exit_code_of(const std::exception& error) {
  if (const auto* known = dynamic_cast<const Error*>(&error))
    return static_cast<int64_t>(known->code());
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  return static_cast<int64_t>(no_memory ? ExitCode::kIo : ExitCode::kInternal);
}

IncarnationLog::IncarnationLog(const IncarnationStart& start)
    : run_directory_(start.run_directory),
      job_end_(start.job_end),
      earlier_(read_incarnations(start.run_directory)) {
  if (!earlier_.empty() && !earlier_.back().ended) {
    Incarnation& killed = earlier_.back();
    killed.ended = end_of_killed(killed, start);
    append_end(run_directory_, killed.token, *killed.ended);
    log::warn("the start before this one wrote no end: {}", killed.ended->cause);
  }
  remove_failure_notes(run_directory_);
  const std::vector<std::string> left_out = log_excluded_nodes(start);
  if (!start.restart_anyway)
    if (const auto message = crash_loop(earlier_, left_out))
      throw Error(ExitCode::kCrashLoop, *message);
  current_.begin = process_begin();
  current_.token = start.owner.token;
  current_.nodes = without_repeats(start.nodes);
  current_.ranks = static_cast<int64_t>(start.nodes.size());
  current_.steps = start.steps;
  current_.job = start.owner.job;
  current_.restart_count = start.owner.restart_count;
  if (job_end_) current_.job_end = job_end_->unix_seconds;
  current_.restart_anyway = start.restart_anyway;
  if (start.resume == "auto")
    current_.committed_step = newest_committed_step(run_directory_);
  else if (start.resume != "never")
    current_.committed_step = std::atoll(start.resume.c_str());
  append_begin(run_directory_, current_);
}

void IncarnationLog::resumed(int64_t first_step, double start_seconds, double load_seconds) {
  current_.first_step = first_step;
  current_.start_seconds = start_seconds;
  current_.load_seconds = load_seconds;
  append_resumed(run_directory_, current_);
}

void IncarnationLog::end(IncarnationEnd end) {
  if (current_.ended) return;
  end.end = unix_now();
  end.seconds.total = end.end - current_.begin;
  current_.ended = std::move(end);
  try {
    append_end(run_directory_, current_.token, *current_.ended);
  } catch (const std::exception& error) {
    log::warn("the end of this start is not recorded: {}", error.what());
  }
}

void IncarnationLog::failed_to_load(int64_t exit_code, const std::string& cause) {
  IncarnationEnd failed;
  failed.exit_code = exit_code;
  const bool was_asked = exit_code == static_cast<int64_t>(ExitCode::kRequeue);
  const bool time_is_up = was_asked && job_end_ && job_end_->explains_request();
  failed.cause = fmt::format("while loading: {}{}",
                             time_is_up ? "no time before the end of the job: " : "", cause);
  failed.by_request = was_asked && !time_is_up;
  failed.committed_step = current_.committed_step;
  failed.last_step = current_.committed_step;
  failed.seconds.load = unix_now() - current_.begin;
  end(std::move(failed));
}

}  // namespace lynceus::train
