#include "status/queue.h"

#include <unistd.h>

#include <sstream>

#include "core/process/command_output.h"

namespace lynceus::status {
namespace {

constexpr double kSqueueSeconds = 10;

}  // namespace

JobQueue read_queue() {
  const auto output = command_output(
      {"squeue", "-h", "-u", std::to_string(getuid()), "-o", "%A|%i|%T|%r|%S|%j"}, kSqueueSeconds);
  return output ? parse_queue(*output) : JobQueue();
}

JobQueue parse_queue(const std::string& output) {
  JobQueue queue;
  queue.answers = true;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    QueuedJob job;
    const bool is_complete =
        std::getline(fields, job.id, '|') && std::getline(fields, job.shown, '|') &&
        std::getline(fields, job.state, '|') && std::getline(fields, job.reason, '|') &&
        std::getline(fields, job.start, '|') &&
        std::getline(fields, job.name);  // the name may contain the separator
    if (is_complete) queue.jobs.push_back(job);
  }
  return queue;
}

std::optional<QueuedJob> find_job(const JobQueue& queue, const std::string& id) {
  if (id.empty()) return std::nullopt;
  for (const QueuedJob& job : queue.jobs)
    if (job.id == id || job.shown.starts_with(id + "_")) return job;
  return std::nullopt;
}

std::optional<QueuedJob> find_job_named(const JobQueue& queue, const std::string& name) {
  for (const QueuedJob& job : queue.jobs)
    if (job.name == name) return job;
  return std::nullopt;
}

}  // namespace lynceus::status
