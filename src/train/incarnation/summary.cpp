#include "train/incarnation/summary.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "core/cores.h"
#include "core/text/units.h"
#include "core/text/utc.h"

namespace lynceus::train {
namespace {

using io::JsonValue;

constexpr int64_t kKiB = 1024, kMiB = 1024 * 1024;

std::optional<int64_t> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == 0) return std::nullopt;
  char* rest = nullptr;
  const int64_t value = std::strtoll(text, &rest, 10);
  if (*rest != 0 || value <= 0) return std::nullopt;
  return value;
}

JsonValue rounded(double value) { return std::round(1000 * value) / 1000; }

template <typename T>
JsonValue or_null(const std::optional<T>& value) {
  return value ? JsonValue(*value) : JsonValue();
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// "of 2 h 0 min" after what was used; empty if nothing is known.
template <typename T, typename Text>
std::string of_requested(const std::optional<T>& requested, const Text& text) {
  return requested ? fmt::format(" of {}", text(*requested)) : "";
}

std::string row(const std::string& name, const TimeAccount& a) {
  const auto share = [&](double seconds) {
    return fmt::format("{:.1f} %", a.total > 0 ? 100 * seconds / a.total : 0.0);
  };
  return fmt::format("{:<22} {:>14} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8} {:>8}", name,
                     seconds_text(a.total), share(a.step), share(a.start), share(a.load),
                     share(a.save), share(a.lost), share(a.validation), share(a.waiting),
                     share(a.other()));
}

struct WholeRun {
  TimeAccount seconds;
  double rank_seconds = 0;
  int64_t killed = 0;
};

WholeRun sum_of(const std::vector<Incarnation>& incarnations) {
  WholeRun sum;
  for (const Incarnation& incarnation : incarnations) {
    if (!incarnation.ended) continue;
    sum.seconds += incarnation.ended->seconds;
    sum.rank_seconds += incarnation.ended->seconds.total * static_cast<double>(incarnation.ranks);
    sum.killed += incarnation.ended->killed ? 1 : 0;
  }
  return sum;
}

}  // namespace

ResourceUse gather_use(parallel::Communicator& world, const std::string& node) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  ResourceUse sum;
  std::map<std::string, int64_t> memory;
  for (const std::string& rank : world.all_gather(fmt::format(
           "{} {} {:.3f} {}", usage.ru_maxrss * kKiB, cores_of_this_rank(), cpu, node))) {
    std::istringstream words(rank);
    int64_t bytes = 0, cores = 0;
    double seconds = 0;
    std::string where;
    words >> bytes >> cores >> seconds >> where;
    sum.cores += cores;
    sum.cpu_seconds += seconds;
    memory[where] += bytes;
  }
  sum.nodes = static_cast<int64_t>(memory.size());
  for (const auto& [where, bytes] : memory)
    sum.node_memory_bytes = std::max(sum.node_memory_bytes, bytes);
  return sum;
}

std::optional<int64_t> sum_of_cpus(const std::string& cpus_per_node) {
  int64_t sum = 0;
  std::istringstream parts(cpus_per_node);
  for (std::string part; std::getline(parts, part, ',');) {
    long cpus = 0, nodes = 1;
    char rest = 0;
    const int read = std::sscanf(part.c_str(), "%ld(x%ld)%c", &cpus, &nodes, &rest);
    const bool is_plain = read == 1 && part == std::to_string(cpus);
    if (!(is_plain || (read == 2 && part.ends_with(')'))) || cpus <= 0 || nodes <= 0)
      return std::nullopt;
    sum += cpus * nodes;
  }
  if (sum == 0) return std::nullopt;
  return sum;
}

ResourceRequest requested_resources(const std::optional<JobEnd>& end, double job_begin) {
  ResourceRequest request;
  if (end) {
    const auto begin = number_of("SLURM_JOB_START_TIME");
    request.seconds = end->unix_seconds - (begin ? static_cast<double>(*begin) : job_begin);
  }
  if (const char* cpus = std::getenv("SLURM_JOB_CPUS_PER_NODE")) request.cores = sum_of_cpus(cpus);
  if (const auto of_node = number_of("SLURM_MEM_PER_NODE"))
    request.node_memory_bytes = *of_node * kMiB;
  else if (const auto of_cpu = number_of("SLURM_MEM_PER_CPU"))
    if (const auto cpus = number_of("SLURM_CPUS_ON_NODE"))
      request.node_memory_bytes = *of_cpu * *cpus * kMiB;
  return request;
}

std::vector<std::string> RunSummary::lines() const {
  const Incarnation& mine = incarnations.back();
  const IncarnationEnd& end = *mine.ended;
  const WholeRun run = sum_of(incarnations);
  const double total = end.seconds.total;
  const int64_t first = mine.first_step.value_or(mine.committed_step);
  const std::string steps =
      end.last_step > first ? fmt::format("steps {} to {}", first + 1, end.last_step) : "no step";
  std::string used_text = fmt::format("summary: {} in {}{}", steps, seconds_text(total),
                                      of_requested(requested.seconds, seconds_text));
  if (used)
    used_text += fmt::format(", {:.1f}{} cores busy, {}{} of memory on the fullest node",
                             total > 0 ? used->cpu_seconds / total : 0.0,
                             of_requested(std::optional(requested.cores.value_or(used->cores)),
                                          [](int64_t cores) { return fmt::format("{}", cores); }),
                             bytes_text(static_cast<uint64_t>(used->node_memory_bytes)),
                             of_requested(requested.node_memory_bytes, [](int64_t bytes) {
                               return bytes_text(static_cast<uint64_t>(bytes));
                             }));
  return {used_text,
          fmt::format("{:<22} {:>14} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8} {:>8}",
                      "where the time went", "total", "steps", "start", "load", "save", "lost",
                      "validation", "waiting", "other"),
          row("this start", end.seconds),
          row(fmt::format("all starts ({})", incarnations.size()), run.seconds)};
}

JsonValue RunSummary::to_json() const {
  const Incarnation& mine = incarnations.back();
  const IncarnationEnd& end = *mine.ended;
  const WholeRun run = sum_of(incarnations);
  const auto account = [](const TimeAccount& seconds) {
    JsonValue json = train::to_json(seconds);
    json.set("other", rounded(seconds.other()));
    return json;
  };
  JsonValue nodes = JsonValue::array();
  for (const std::string& node : mine.nodes) nodes.push_back(node);
  const JsonValue asked =
      JsonValue::object({{"seconds", requested.seconds ? rounded(*requested.seconds) : JsonValue()},
                         {"cores", or_null(requested.cores)},
                         {"node_memory_bytes", or_null(requested.node_memory_bytes)}});
  const auto if_used = [&](const auto& value) {
    return used ? JsonValue(value(*used)) : JsonValue();
  };
  const JsonValue taken = JsonValue::object(
      {{"seconds", rounded(end.seconds.total)},
       {"cores", if_used([](const ResourceUse& use) { return use.cores; })},
       {"cpu_seconds", if_used([](const ResourceUse& use) { return use.cpu_seconds; })},
       {"node_memory_bytes",
        if_used([](const ResourceUse& use) { return use.node_memory_bytes; })}});
  return JsonValue::object(
      {{"begin", utc_text(mine.begin)},
       {"end", utc_text(end.end)},
       {"exit_code", end.exit_code},
       {"cause", end.cause},
       {"nodes", nodes},
       {"ranks", mine.ranks},
       {"first_step", mine.first_step.value_or(mine.committed_step)},
       {"last_step", end.last_step},
       {"committed_step", end.committed_step},
       {"steps", mine.steps},
       {"requested", asked},
       {"used", taken},
       {"this_start", JsonValue::object({{"goodput", rounded(end.seconds.goodput())},
                                         {"time", account(end.seconds)}})},
       {"run", JsonValue::object({{"starts", static_cast<int64_t>(incarnations.size())},
                                  {"killed", run.killed},
                                  {"rank_hours", rounded(run.rank_seconds / 3600)},
                                  {"goodput", rounded(run.seconds.goodput())},
                                  {"time", account(run.seconds)}})}});
}

}  // namespace lynceus::train
