#include "parallel/watch/rank_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <utility>

namespace lynceus::parallel {
namespace {

constexpr int kDoneCalls = 8, kOpenCalls = 8;

const char* name_of(CallState state) {
  switch (state) {
    case CallState::kInside:
      return "inside";
    case CallState::kSubmitted:
      return "submitted";
    case CallState::kDone:
      break;
  }
  return "done";
}

std::optional<Operation> parse_operation(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(Operation::kExchange); ++i)
    if (name == name_of(static_cast<Operation>(i))) return static_cast<Operation>(i);
  return std::nullopt;
}

bool parse_call(std::istringstream& line, RankState* state) {
  std::string operation, progress;
  RecordedCall call;
  line >> operation >> call.number >> call.bytes >> progress >> call.seconds;
  const auto parsed = parse_operation(operation);
  if (!line || !parsed || state->groups.empty()) return false;
  call.operation = *parsed;
  if (progress == "submitted") call.state = CallState::kSubmitted;
  if (progress == "done") call.state = CallState::kDone;
  state->groups.back().calls.push_back(call);
  return true;
}

bool parse_line(const std::string& text, RankState* state) {
  std::istringstream line(text);
  std::string key, of;
  line >> key;
  if (key == "rank") line >> state->rank >> of >> state->ranks;
  if (key == "section") line >> state->section >> state->step;
  if (key == "stalled") line >> state->stalled >> of >> state->limit;
  if (key == "written") line >> state->written;
  if (key == "call") return parse_call(line, state);
  if (key == "group") {
    GroupState group;
    line >> group.collectives >> std::ws;
    std::getline(line, group.name);
    state->groups.push_back(std::move(group));
  }
  return !line.fail();
}

/// The clocks of two machines may differ by some milliseconds.
RankState older(RankState state, double now) {
  const double age = std::max(0.0, now - state.written);
  state.stalled += age;
  for (GroupState& group : state.groups)
    for (RecordedCall& call : group.calls) call.seconds += age;
  return state;
}

}  // namespace

double system_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::vector<GroupState> group_states(const Grid& grid, bool steps, bool saving) {
  std::vector<GroupState> states;
  for (const auto& group :
       {grid.world, grid.replica, grid.tensor, grid.pipeline, grid.data, grid.saving}) {
    if (group == nullptr || group->size() == 1) continue;
    if (group == grid.saving ? !saving : !steps) continue;
    const CallRing& ring = group->recent_calls();
    states.push_back({group->name(), ring.collectives(), ring.recent(kDoneCalls, kOpenCalls)});
  }
  return states;
}

std::string to_text(const RankState& state) {
  std::string text = fmt::format(
      "rank {} of {}\nsection {} {}\nstalled {:.3f} limit {:g}\n"
      "written {:.3f}\n",
      state.rank, state.ranks, state.section, state.step, state.stalled, state.limit,
      state.written);
  for (const GroupState& group : state.groups) {
    text += fmt::format("group {} {}\n", group.collectives, group.name);
    for (const RecordedCall& call : group.calls)
      text += fmt::format("call {} {} {} {} {:.3f}\n", name_of(call.operation), call.number,
                          call.bytes, name_of(call.state), call.seconds);
  }
  return text + "end\n";
}

std::optional<RankState> parse_rank_state(const std::string& text) {
  RankState state;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "end") return older(std::move(state), system_seconds());
    if (!parse_line(line, &state)) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace lynceus::parallel
