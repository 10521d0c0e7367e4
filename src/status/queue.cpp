#include "status/queue.h"

#include <unistd.h>

#include <sstream>

#include "core/process/command_output.h"

namespace lynceus::status {
namespace {

constexpr double kSqueueSeconds = 10;

}  // namespace

std::vector<QueuedJob> read_queue() {
  const auto output = command_output(
      {"squeue", "-h", "-u", std::to_string(getuid()), "-o", "%i|%T|%r|%S|%j"}, kSqueueSeconds);
  return parse_queue(output.value_or(""));
}

std::vector<QueuedJob> parse_queue(const std::string& output) {
  std::vector<QueuedJob> jobs;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    QueuedJob job;
    const bool is_complete =
        std::getline(fields, job.id, '|') && std::getline(fields, job.state, '|') &&
        std::getline(fields, job.reason, '|') && std::getline(fields, job.start, '|') &&
        std::getline(fields, job.name);  // the name may contain the separator
    if (is_complete) jobs.push_back(job);
  }
  return jobs;
}

std::optional<QueuedJob> find_job(const std::vector<QueuedJob>& queue, const std::string& id,
                                  const std::string& name) {
  for (const QueuedJob& job : queue)
    if (!id.empty() && job.id == id) return job;
  for (const QueuedJob& job : queue)
    if (job.name == name) return job;
  return std::nullopt;
}

}  // namespace lynceus::status
