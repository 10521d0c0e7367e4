// Fault points: parsing of LYNCEUS_FAULT, counting of visits, the ways to fail.
#include "core/fault.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "core/process/stop_request.h"

namespace lynceus::fault {

namespace {

[[noreturn]] void refuse(std::string_view entry) {
  throw UsageError(
      "LYNCEUS_FAULT: expected "
      "name[@rank][#nth[-last]]=kill|throw|hang|enospc|term|pause|slow|delay|"
      "do, found '{}'",
      entry);
}

int parse_number(std::string_view digits, int least, std::string_view entry) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < least) refuse(entry);
  return value;
}

Plan parse_plan(std::string_view entry) {
  const size_t equals = entry.rfind('=');
  if (equals == std::string_view::npos) refuse(entry);
  const std::string_view action = entry.substr(equals + 1);
  std::string_view name = entry.substr(0, equals);
  Plan plan;
  if (const size_t hash = name.find('#'); hash != std::string_view::npos) {
    const std::string_view visits = name.substr(hash + 1);
    const size_t dash = visits.find('-');
    plan.nth = plan.last = parse_number(visits.substr(0, dash), 1, entry);
    if (dash != std::string_view::npos)
      plan.last = parse_number(visits.substr(dash + 1), plan.nth, entry);
    name = name.substr(0, hash);
  }
  if (const size_t at = name.find('@'); at != std::string_view::npos) {
    plan.rank = parse_number(name.substr(at + 1), 0, entry);
    name = name.substr(0, at);
  }
  if (name.empty()) refuse(entry);
  plan.name = name;
  if (action == "kill") {
    plan.action = FaultAction::kKill;
  } else if (action == "throw") {
    plan.action = FaultAction::kThrow;
  } else if (action == "hang") {
    plan.action = FaultAction::kHang;
  } else if (action == "enospc") {
    plan.action = FaultAction::kNoSpace;
  } else if (action == "term") {
    plan.action = FaultAction::kTerminate;
  } else if (action == "pause") {
    plan.action = FaultAction::kPause;
  } else if (action == "slow") {
    plan.action = FaultAction::kSlow;
  } else if (action == "delay") {
    plan.action = FaultAction::kDelay;
  } else if (action == "do") {
    plan.action = FaultAction::kDo;
  } else {
    refuse(entry);
  }
  return plan;
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

/// None if the text is malformed, which main.cpp reports once for all ranks.
std::vector<Plan> plans_of_environment() {
  try {
    return parse_plans(std::getenv("LYNCEUS_FAULT"));
  } catch (const UsageError&) {
    return {};
  }
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
      throw IoError("fault point '{}': failure requested by LYNCEUS_FAULT", plan.name);
    case FaultAction::kNoSpace:
      throw IoError("fault point '{}': {}", plan.name, std::strerror(ENOSPC));
  }
}

}  // namespace

const bool kArmed = std::getenv("LYNCEUS_FAULT") != nullptr;

std::vector<Plan> parse_plans(std::string_view text) {
  std::vector<Plan> plans;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    plans.push_back(parse_plan(text.substr(0, comma)));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return plans;
}

bool reach(std::string_view name) {
  static const std::vector<Plan> plans = plans_of_environment();
  static const int rank = launched_rank();
  static std::mutex mutex;
  static std::map<std::string, int, std::less<>> visits;
  int visit = 0;
  {
    const std::lock_guard lock(mutex);
    auto found = visits.find(name);
    if (found == visits.end()) found = visits.emplace(name, 0).first;
    visit = ++found->second;
  }
  bool is_asked = false;
  for (const Plan& plan : plans) {
    const bool here = plan.name == name && (plan.rank < 0 || plan.rank == rank);
    if (!here || visit < plan.nth || visit > plan.last) continue;
    act(plan);
    is_asked |= plan.action == FaultAction::kDo;
  }
  return is_asked;
}

}  // namespace lynceus::fault
