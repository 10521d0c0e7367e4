#include "status/status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.h"
#include "core/text/units.h"
#include "core/text/utc.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/manifest.h"
#include "io/files/file.h"
#include "io/files/json.h"
#include "io/files/lease.h"
#include "status/submitted.h"
#include "train/incarnation/brake.h"
#include "train/incarnation/incarnation_log.h"
#include "train/incarnation/record.h"

namespace lynceus::status {
namespace {

namespace fs = std::filesystem;
using train::Incarnation;

constexpr uint64_t kTailBytes = 64 * 1024;
constexpr size_t kRecentSteps = 20;
constexpr double kHeartbeatSeconds = 60;  // as long as a newcomer waits for one
constexpr double kTwoHeartbeats = 20;

struct Metrics {
  int64_t step = 0;
  double seconds_per_step = 0;
};

/// The last steps of metrics.jsonl; its end is read, which may begin inside a line.
Metrics last_steps(const fs::path& path) {
  Metrics found;
  if (!io::file_exists(path)) return found;
  const io::File file = io::File::open_regular(path);
  const uint64_t size = file.size(), begin = size > kTailBytes ? size - kTailBytes : 0;
  std::string text(size - begin, '\0');
  if (!text.empty()) file.read_at(begin, text.data(), text.size());
  std::vector<double> seconds;
  size_t at = 0;
  for (size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) try {
      const io::Json line = io::Json::parse(text.substr(at, end - at), path.string());
      const auto step_seconds = line.find("step_seconds");
      if (!step_seconds) continue;
      found.step = line.at("step").integer();
      seconds.push_back(step_seconds->number());
    } catch (const InputError&) {  // the first one, which begins before the tail
    }
  if (seconds.size() > kRecentSteps)
    seconds.erase(seconds.begin(), seconds.end() - static_cast<long>(kRecentSteps));
  if (seconds.empty()) return found;
  const auto middle = seconds.begin() + static_cast<long>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  found.seconds_per_step = *middle;
  return found;
}

/// train.steps as the newest checkpoint has it: for runs without incarnations.jsonl.
int64_t planned_steps(const fs::path& checkpoint) try {
  for (const auto& [key, value] : io::read_manifest(checkpoint).config)
    if (key == "train.steps") return std::stoll(value);
  return 0;
} catch (const Error&) {
  return 0;
}

/// Whether the owner of the lease still trains, and since when it has not been heard of if not.
struct Owner {
  std::optional<io::LeaseOwner> lease;
  bool is_alive = false;
  bool is_seen = false;  ///< its process is, on this machine
  double silent = 0;     ///< seconds since its last heartbeat
  std::string note;
};

Owner owner_of(const fs::path& run) {
  Owner found;
  try {
    found.lease = io::read_lease(run);
  } catch (const InputError& error) {
    found.note = error.what();
  }
  if (!found.lease) return found;
  found.silent = std::max(0.0, unix_now() - parse_utc(found.lease->heartbeat).value_or(0));
  const std::optional<bool> known = io::owner_is_alive(*found.lease);
  found.is_seen = known.value_or(false);
  found.is_alive = known.value_or(found.silent < kHeartbeatSeconds);
  if (!found.is_alive)
    found.note = fmt::format("last heartbeat {} ago", seconds_text(found.silent));
  return found;
}

/// Slurm knows sooner than a heartbeat that a job has ended or waits again. Jobs of others are not
/// in this queue, nor those of another cluster, whose heartbeats go on.
void ask_queue(const fs::path& run, const JobQueue& queue, Owner* owner) {
  if (!owner->is_alive || owner->is_seen || !queue.answers || owner->lease->job.empty()) return;
  const std::string& id = owner->lease->job;
  if (const auto job = find_job(queue, id)) {
    owner->is_alive = job->state != "PENDING";
    return;
  }
  struct stat file {};
  const bool is_mine = stat((run / io::kLeaseName).c_str(), &file) == 0 && file.st_uid == getuid();
  if (!is_mine || owner->silent < kTwoHeartbeats) return;
  owner->is_alive = false;
  owner->note = fmt::format("job {} is no longer in the queue", id);
}

/// The job of the last start, of the last submission, or of the run's name.
std::optional<QueuedJob> job_of(const fs::path& run, const Incarnation* last,
                                const Submitted& submitted, const JobQueue& queue) {
  std::optional<QueuedJob> job;
  if (last != nullptr) job = find_job(queue, last->job);
  for (const std::string& id : submitted.ids)
    if (!job) job = find_job(queue, id);
  return job ? job : find_job_named(queue, run.filename().string());
}

/// State and note of a run that was submitted and has not begun, nor is its job in the queue.
void describe_submitted(const Submitted& submitted, const JobQueue& queue, RunStatus* run) {
  if (submitted.output) {
    run->state = "failed";
    run->note = fmt::format("before it began: see {}", submitted.output->string());
    return;
  }
  run->state = "submitted";
  const std::string jobs = submitted.ids.empty()
                               ? std::string("its job")
                               : fmt::format("job {}", fmt::join(submitted.ids, ", "));
  run->note = jobs + (queue.answers ? " is not in the queue and has written nothing"
                                    : " has written nothing; there is no squeue to ask");
}

/// The incarnations with an end for one that was killed and has no successor yet.
std::vector<Incarnation> with_ends(std::vector<Incarnation> incarnations, int64_t checkpoint) {
  if (incarnations.empty() || incarnations.back().ended) return incarnations;
  train::IncarnationEnd end;
  end.killed = true;
  end.committed_step = checkpoint;
  end.cause = "killed or lost";
  incarnations.back().ended = end;
  return incarnations;
}

std::string place_of(const Incarnation* last, const Owner& owner) {
  const std::string job = owner.lease ? owner.lease->job : last != nullptr ? last->job : "";
  std::string nodes = last != nullptr ? fmt::format("{}", fmt::join(last->nodes, ",")) : "";
  if (nodes.empty() && owner.lease) nodes = owner.lease->host;
  if (nodes.empty()) return "";
  if (!job.empty()) return fmt::format("job {} on {}", job, nodes);
  if (owner.is_alive) return fmt::format("process {} on {}", owner.lease->pid, nodes);
  return nodes;
}

/// The start that has finished the run, if `last` failed before it continued, as one with other
/// steps does; null: none.
const Incarnation* finished_before(const Incarnation& last, const std::vector<Incarnation>& all,
                                   int64_t checkpoint) {
  if (last.first_step || last.ended->exit_code == static_cast<int64_t>(ExitCode::kDone))
    return nullptr;
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    if (!at->ended || !at->first_step) continue;
    const bool is_done = at->ended->exit_code == static_cast<int64_t>(ExitCode::kDone) &&
                         at->ended->last_step >= at->steps && checkpoint >= at->steps;
    return is_done ? &*at : nullptr;
  }
  return nullptr;
}

/// State and note of a run that no living process owns.
void describe_end(const Incarnation* last, const std::vector<Incarnation>& all, RunStatus* run) {
  if (last == nullptr) {  // of an earlier version
    run->state = run->steps > 0 && run->checkpoint >= run->steps ? "finished" : "stopped";
    return;
  }
  const train::IncarnationEnd& end = *last->ended;
  if (const Incarnation* finished = finished_before(*last, all, run->checkpoint)) {
    run->state = "finished";
    run->steps = finished->steps;
    run->note =
        fmt::format("{}; a later start did not change it: {}", finished->ended->cause, end.cause);
    return;
  }
  if (!end.cause.empty()) run->note = end.cause + (run->note.empty() ? "" : "; " + run->note);
  if (end.exit_code >= 0) run->note += fmt::format(" (exit code {})", end.exit_code);
  if (end.exit_code == static_cast<int64_t>(ExitCode::kDone))
    run->state = end.last_step >= last->steps ? "finished" : "stopped";
  else if (train::crash_loop(all))
    run->state = "crash loop";
  else if (end.exit_code == static_cast<int64_t>(ExitCode::kRequeue))
    run->state = "stopped";
  else
    run->state = end.killed ? "killed" : "failed";
}

}  // namespace

RunStatus status_of(const fs::path& run_directory, const JobQueue& queue) {
  RunStatus run;
  run.run = run_directory.string();
  const fs::path plain =
      fs::path(run.run.ends_with('/') ? run.run.substr(0, run.run.size() - 1) : run.run);
  run.checkpoint = train::newest_committed_step(plain);
  Owner owner = owner_of(plain);
  ask_queue(plain, queue, &owner);
  run.note = owner.note;
  const auto all = with_ends(train::read_incarnations(plain), run.checkpoint);
  const Incarnation* last = all.empty() ? nullptr : &all.back();
  const Submitted submitted = find_submitted(plain);
  const auto job = job_of(plain, last, submitted, queue);
  if (!owner.lease && last == nullptr && run.checkpoint == 0 &&
      !io::file_exists(plain / "config.ini")) {
    if (submitted.has_runs)
      throw InputError("{0}: expected a run directory, found a folder of several: {0}/*", run.run);
    if (!job && !submitted.has_text && !submitted.output)
      throw InputError("{}: expected a run directory, found no file of a run", run.run);
    if (!job) {
      describe_submitted(submitted, queue, &run);
      return run;
    }
  }
  const Metrics metrics = last_steps(plain / "metrics.jsonl");
  run.step = metrics.step;
  run.seconds_per_step = metrics.seconds_per_step;
  run.steps = last != nullptr      ? last->steps
              : run.checkpoint > 0 ? planned_steps(io::checkpoint_path(plain, run.checkpoint))
                                   : 0;
  run.starts = static_cast<int64_t>(all.size());
  run.killed = std::count_if(all.begin(), all.end(), [&](const Incarnation& incarnation) {
    return incarnation.ended->killed && !(owner.is_alive && &incarnation == last);
  });
  run.where = place_of(last, owner);
  if (owner.is_alive) {
    const bool trains = last != nullptr && last->first_step && last->token == owner.lease->token;
    run.state = trains || last == nullptr ? "running" : "loading";
    if (run.steps > 0 && run.seconds_per_step > 0)
      run.seconds_left = static_cast<double>(run.steps - run.step) * run.seconds_per_step;
    return run;
  }
  describe_end(last, all, &run);
  if (!job) return run;
  const std::string ended = run.note.empty() ? "" : "; before: " + run.note;
  run.state = job->state == "PENDING" ? "queued" : "starting";
  run.note = fmt::format("job {} is {}", job->shown, job->state);
  if (job->state == "PENDING") run.note += fmt::format(" ({}), start {}", job->reason, job->start);
  run.note += ended;
  return run;
}

std::vector<std::string> table_of(const std::vector<RunStatus>& runs) {
  std::vector<std::vector<std::string>> rows = {
      {"run", "state", "step", "s/step", "left", "checkpoint", "starts", "where", "note"}};
  for (const RunStatus& run : runs)
    rows.push_back(
        {run.run, run.state,
         run.steps > 0 ? fmt::format("{} of {}", run.step, run.steps) : fmt::format("{}", run.step),
         run.seconds_per_step > 0 ? fmt::format("{:.3g}", run.seconds_per_step) : "-",
         run.seconds_left ? seconds_text(*run.seconds_left) : "-",
         run.checkpoint > 0 ? fmt::format("{}", run.checkpoint) : "none",
         run.killed > 0 ? fmt::format("{}, {} killed", run.starts, run.killed)
                        : fmt::format("{}", run.starts),
         run.where.empty() ? "-" : run.where, run.note.substr(0, run.note.find('\n'))});
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(line);
  }
  return lines;
}

io::JsonValue to_json(const RunStatus& run) {
  using io::JsonValue;
  return JsonValue::object(
      {{"run", run.run},
       {"state", run.state},
       {"step", run.step},
       {"steps", run.steps},
       {"seconds_per_step", run.seconds_per_step},
       {"seconds_left", run.seconds_left ? JsonValue(*run.seconds_left) : JsonValue()},
       {"checkpoint", run.checkpoint},
       {"starts", run.starts},
       {"killed", run.killed},
       {"where", run.where},
       {"note", run.note}});
}

}  // namespace lynceus::status
