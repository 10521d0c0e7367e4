// Fault points: parsing of plans, counting of visits, the ways to fail.
#include "core/fault.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "core/error.h"
#include "core/fault_points.h"
#include "core/process/stop_request.h"
#include "core/text/spelling.h"

namespace lynceus::fault {

namespace {

constexpr FaultActionName kActions[] = {
    {FaultAction::kKill, "kill", "The process dies at once, as by `kill -9`."},
    {FaultAction::kThrow, "throw", "An I/O error is raised."},
    {FaultAction::kHang, "hang", "The thread waits for ever."},
    {FaultAction::kNoSpace, "enospc", "The error of a full disk is raised."},
    {FaultAction::kTerminate, "term", "The process sends itself SIGTERM, as a scheduler would."},
    {FaultAction::kPause, "pause", "The process stops until it gets SIGCONT."},
    {FaultAction::kSlow, "slow", "The thread sleeps for 60 ms."},
    {FaultAction::kDelay, "delay", "The thread sleeps for 4 s."},
    {FaultAction::kDo, "do", "What the point itself says; only at the points that say so."}};

[[noreturn]] void refuse(std::string_view entry, const std::string& origin) {
  std::vector<std::string> names;
  for (const FaultActionName& action : kActions) names.emplace_back(action.name);
  throw UsageError("{}: expected name[@rank][#nth[-last]]={}, found '{}'", origin,
                   fmt::join(names, "|"), entry);
}

std::optional<int> parse_number(std::string_view digits, int least) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < least)
    return std::nullopt;
  return value;
}

/// "3" or "3-7". -> whether it is one of them.
bool parse_visits(std::string_view text, Plan* plan) {
  const size_t dash = text.find('-');
  const auto nth = parse_number(text.substr(0, dash), 1);
  if (!nth) return false;
  const auto last =
      dash == std::string_view::npos ? nth : parse_number(text.substr(dash + 1), *nth);
  if (!last) return false;
  plan->nth = *nth;
  plan->last = *last;
  return true;
}

void check_point(const Plan& plan, const std::string& origin) {
  std::vector<std::string> names, with_action;
  bool is_known = false;
  for (const FaultPoint& point : fault_points()) {
    names.emplace_back(point.name);
    if (point.has_action) with_action.emplace_back(point.name);
    if (point.name != plan.name) continue;
    if (plan.action != FaultAction::kDo || point.has_action) return;
    is_known = true;
  }
  if (is_known)
    throw UsageError(
        "{}: the fault point '{}' has no action of its own for 'do': expected one of {}", origin,
        plan.name, fmt::join(with_action, ", "));
  const std::string near = nearest_name(plan.name, names);
  throw UsageError("{}: unknown fault point '{}'{}; `lynceus train --fault help` lists all", origin,
                   plan.name,
                   near.empty() ? "" : fmt::format("; the nearest known one is '{}'", near));
}

Plan parse_plan(std::string_view entry, const std::string& origin) {
  const size_t separator = entry.find_last_of("=:");
  if (separator == std::string_view::npos) refuse(entry, origin);
  const std::string_view action = entry.substr(separator + 1);
  std::string_view name = entry.substr(0, separator);
  Plan plan;
  if (const size_t hash = name.find('#'); hash != std::string_view::npos) {
    if (!parse_visits(name.substr(hash + 1), &plan)) refuse(entry, origin);
    name = name.substr(0, hash);
  }
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    const auto rank = parse_number(name.substr(at + 1), 0);
    if (!rank) refuse(entry, origin);
    plan.rank = *rank;
    name = name.substr(0, at);
  }
  const auto* known =
      std::find_if(std::begin(kActions), std::end(kActions),
                   [&](const FaultActionName& candidate) { return candidate.name == action; });
  if (name.empty() || known == std::end(kActions)) refuse(entry, origin);
  plan.name = name;
  plan.action = known->action;
  check_point(plan, origin);
  return plan;
}

const char* name_of(FaultAction action) {
  for (const FaultActionName& known : kActions)
    if (known.action == action) return known.name;
  return "";
}

int launched_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"})
    if (const char* text = std::getenv(variable)) return std::atoi(text);
  return 0;
}

/// Returns when the process knows of the signal, which another thread may take.
void terminate_process() {
  kill(getpid(), SIGTERM);
  for (int i = 0; i < 1000 && !stop_is_requested(); ++i) usleep(1000);
}

void act(const Plan& plan) {
  switch (plan.action) {
    case FaultAction::kKill:
      raise(SIGKILL);
      break;
    case FaultAction::kTerminate:
      terminate_process();
      break;
    case FaultAction::kPause:
      raise(SIGSTOP);
      break;
    case FaultAction::kHang:
      while (true) pause();
    case FaultAction::kSlow:
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
      break;
    case FaultAction::kDelay:
      std::this_thread::sleep_for(std::chrono::seconds(4));
      break;
    case FaultAction::kDo:
      break;
    case FaultAction::kThrow:
      throw IoError("fault point '{}': failure requested by LYNCEUS_FAULT or --fault", plan.name);
    case FaultAction::kNoSpace:
      throw IoError("fault point '{}': {}", plan.name, std::strerror(ENOSPC));
  }
}

/// Those of the variable; none if the text is malformed, which main.cpp reports once for all ranks.
std::vector<Plan> plans_of_environment() {
  const char* text = std::getenv("LYNCEUS_FAULT");
  if (text == nullptr) return {};
  try {
    return parse_plans(text);
  } catch (const UsageError&) {
    return {};
  }
}

struct Armed {
  std::mutex mutex;
  std::vector<Plan> plans = plans_of_environment();
  std::map<std::string, int, std::less<>> visits;
};

Armed& armed() {
  static Armed instance;
  return instance;
}

bool any_is_armed = std::getenv("LYNCEUS_FAULT") != nullptr;

}  // namespace

std::span<const FaultActionName> action_names() { return kActions; }

std::vector<Plan> parse_plans(std::string_view text, const std::string& origin) {
  std::vector<Plan> plans;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    plans.push_back(parse_plan(text.substr(0, comma), origin));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return plans;
}

void arm(const std::vector<Plan>& plans) {
  const std::lock_guard lock(armed().mutex);
  armed().plans.insert(armed().plans.end(), plans.begin(), plans.end());
  any_is_armed = !armed().plans.empty();
}

bool is_armed() { return any_is_armed; }

std::string describe_armed() {
  const std::lock_guard lock(armed().mutex);
  std::vector<std::string> texts;
  for (const Plan& plan : armed().plans) {
    const std::string rank = plan.rank < 0 ? "every rank" : fmt::format("rank {}", plan.rank);
    const std::string visits = plan.nth == plan.last
                                   ? fmt::format("visit {}", plan.nth)
                                   : fmt::format("visits {} to {}", plan.nth, plan.last);
    texts.push_back(
        fmt::format("{} on {} at {}: {}", plan.name, rank, visits, name_of(plan.action)));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

bool reach(std::string_view name) {
  static const int rank = launched_rank();
  std::vector<Plan> due;
  {
    Armed& all = armed();
    const std::lock_guard lock(all.mutex);
    auto found = all.visits.find(name);
    if (found == all.visits.end()) found = all.visits.emplace(name, 0).first;
    const int visit = ++found->second;
    for (const Plan& plan : all.plans) {
      const bool here = plan.name == name && (plan.rank < 0 || plan.rank == rank);
      if (here && visit >= plan.nth && visit <= plan.last) due.push_back(plan);
    }
  }
  bool is_asked = false;
  for (const Plan& plan : due) {
    act(plan);
    is_asked |= plan.action == FaultAction::kDo;
  }
  return is_asked;
}

}  // namespace lynceus::fault
