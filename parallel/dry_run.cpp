// A simulator of all stages: each computes up to its next exchange, then open parts of neighbours
// meet, until no stage advances.
#include "parallel/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/check.h"

namespace lynceus::parallel {

namespace {

enum class Part { kRecvActivation, kRecvGradient, kSendActivation, kSendGradient };
constexpr Part kParts[] = {Part::kRecvActivation, Part::kRecvGradient, Part::kSendActivation,
                           Part::kSendGradient};

const std::optional<int>& part_of(const Action& action, Part part) {
  switch (part) {
    case Part::kRecvActivation:
      return action.recv_activation;
    case Part::kRecvGradient:
      return action.recv_gradient;
    case Part::kSendActivation:
      return action.send_activation;
    case Part::kSendGradient:
      break;
  }
  return action.send_gradient;
}

struct StageState {
  size_t next = 0;      // the current action
  double time = 0;      // when the last action ended
  bool posted = false;  // the current action is an exchange whose parts are open
  double ready = 0;     // the latest time at which one of its parts met
  std::set<Part> open;
  std::set<int> received_activations, received_gradients, forwarded, backwarded, will_backward;
  int saved = 0;
};

class Simulator {
 public:
  Simulator(std::span<const Schedule> schedules, std::span<const StageCost> costs)
      : schedules_(schedules), states_(schedules.size()), costs_(costs.begin(), costs.end()) {
    if (costs_.empty()) costs_.resize(schedules.size());
    LYNCEUS_CHECK(costs_.size() == schedules.size(), "{} costs for {} stages", costs_.size(),
                  schedules.size());
    run_.peak_saved.resize(schedules.size());
    for (size_t stage = 0; stage < schedules.size(); ++stage)
      for (const Action& action : schedules[stage])
        if (action.kind == ActionKind::kBackward)
          states_[stage].will_backward.insert(action.micro_batch);
  }

  DryRun run() {
    for (bool moved = true; moved && fault_.empty();) {
      moved = false;
      for (int stage = 0; stage < stages(); ++stage) moved |= advance(stage);
      for (int stage = 0; stage + 1 < stages(); ++stage) moved |= meet(stage);
      for (int stage = 0; stage < stages(); ++stage) moved |= close(stage);
    }
    run_.finished =
        fault_.empty() && std::all_of(states_.begin(), states_.end(), [&](auto& state) {
          return state.next == schedules_[static_cast<size_t>(&state - states_.data())].size();
        });
    if (!run_.finished) run_.report = fault_.empty() ? stall_report() : fault_;
    measure();
    return std::move(run_);
  }

 private:
  int stages() const { return static_cast<int>(schedules_.size()); }
  StageState& state(int stage) { return states_[static_cast<size_t>(stage)]; }
  const Action* current(int stage) {
    const Schedule& schedule = schedules_[static_cast<size_t>(stage)];
    return state(stage).next < schedule.size() ? &schedule[state(stage).next] : nullptr;
  }

  void demand(bool fulfilled, int stage, const Action& action, const char* because) {
    if (!fulfilled && fault_.empty())
      fault_ = fmt::format("stage {} cannot do \"{}\" as its action {}: {}", stage,
                           to_string(action), state(stage).next, because);
  }

  /// Computes up to the next exchange and opens its parts.
  bool advance(int stage) {
    StageState& self = state(stage);
    bool moved = false;
    for (const Action* action = current(stage); action != nullptr && !self.posted && fault_.empty();
         action = current(stage)) {
      moved = true;
      if (action->kind == ActionKind::kExchange) {
        open(stage, *action);
      } else {
        compute(stage, *action);
        ++self.next;
      }
    }
    return moved;
  }

  void compute(int stage, const Action& action) {
    StageState& self = state(stage);
    const bool forward = action.kind == ActionKind::kForward;
    const int micro_batch = action.micro_batch;
    if (forward) {
      demand(stage == 0 || self.received_activations.contains(micro_batch), stage, action,
             "its activation has not been received");
      demand(self.forwarded.insert(micro_batch).second, stage, action, "it was done before");
      if (self.will_backward.contains(micro_batch)) ++self.saved;
    } else {
      demand(self.forwarded.contains(micro_batch), stage, action, "it was not forwarded");
      demand(stage + 1 == stages() || self.received_gradients.contains(micro_batch), stage, action,
             "its gradient has not been received");
      demand(self.backwarded.insert(micro_batch).second, stage, action, "it was done before");
      --self.saved;
    }
    int& peak = run_.peak_saved[static_cast<size_t>(stage)];
    peak = std::max(peak, self.saved);
    const StageCost& cost = costs_[static_cast<size_t>(stage)];
    const double end = self.time + (forward ? cost.forward : cost.backward);
    run_.timeline.push_back({stage, action.kind, micro_batch, self.time, end});
    self.time = end;
  }

  void open(int stage, const Action& action) {
    StageState& self = state(stage);
    if (action.send_activation)
      demand(self.forwarded.contains(*action.send_activation), stage, action,
             "the tensor to send has not been computed");
    if (action.send_gradient)
      demand(self.backwarded.contains(*action.send_gradient), stage, action,
             "the tensor to send has not been computed");
    self.posted = true;
    self.ready = self.time;
    for (const Part part : kParts)
      if (part_of(action, part)) self.open.insert(part);
  }

  /// Lets parts that are open on both sides meet, between a stage and the one after it.
  bool meet(int stage) {
    const bool down = meet(stage, Part::kSendActivation, stage + 1, Part::kRecvActivation);
    const bool up = meet(stage + 1, Part::kSendGradient, stage, Part::kRecvGradient);
    return down || up;
  }

  bool meet(int from, Part send, int to, Part receive) {
    StageState& sender = state(from);
    StageState& receiver = state(to);
    if (!sender.open.contains(send) || !receiver.open.contains(receive)) return false;
    const int sent = *part_of(*current(from), send);
    const int expected = *part_of(*current(to), receive);
    if (sent != expected) {
      fault_ = fmt::format("stage {} expects micro-batch {} from stage {}, which sends {}", to,
                           expected, from, sent);
      return false;
    }
    (send == Part::kSendActivation ? receiver.received_activations : receiver.received_gradients)
        .insert(sent);
    const double time = std::max(sender.time, receiver.time);
    for (StageState* side : {&sender, &receiver}) side->ready = std::max(side->ready, time);
    sender.open.erase(send);
    receiver.open.erase(receive);
    return true;
  }

  bool close(int stage) {
    StageState& self = state(stage);
    if (!self.posted || !self.open.empty()) return false;
    self.posted = false;
    self.time = self.ready;
    ++self.next;
    return true;
  }

  std::string stall_report() {
    std::vector<std::string> lines;
    for (int stage = 0; stage < stages(); ++stage) {
      const Action* action = current(stage);
      if (action == nullptr) {
        lines.push_back(fmt::format("stage {} is done", stage));
        continue;
      }
      Action waiting;
      for (const Part part : state(stage).open) {
        if (part == Part::kRecvActivation) waiting.recv_activation = action->recv_activation;
        if (part == Part::kRecvGradient) waiting.recv_gradient = action->recv_gradient;
        if (part == Part::kSendActivation) waiting.send_activation = action->send_activation;
        if (part == Part::kSendGradient) waiting.send_gradient = action->send_gradient;
      }
      lines.push_back(fmt::format("stage {} waits at action {} to {}", stage, state(stage).next,
                                  to_string(waiting)));
    }
    return fmt::format("{}", fmt::join(lines, "\n"));
  }

  void measure() {
    double busy = 0;
    for (const TimelineEntry& entry : run_.timeline) {
      busy += entry.end - entry.begin;
      run_.duration = std::max(run_.duration, entry.end);
    }
    if (run_.duration > 0) run_.bubble_fraction = 1 - busy / (run_.duration * stages());
    std::stable_sort(run_.timeline.begin(), run_.timeline.end(),
                     [](const auto& a, const auto& b) { return a.stage < b.stage; });
  }

  std::span<const Schedule> schedules_;
  std::vector<StageState> states_;
  std::vector<StageCost> costs_;
  std::string fault_;
  DryRun run_;
};

}  // namespace

DryRun dry_run(std::span<const Schedule> schedules, std::span<const StageCost> costs) {
  return Simulator(schedules, costs).run();
}

std::string draw(const DryRun& run) {
  if (run.timeline.empty()) return "";
  double slot = std::numeric_limits<double>::infinity();
  int largest = 0;
  for (const TimelineEntry& entry : run.timeline) {
    if (entry.end > entry.begin) slot = std::min(slot, entry.end - entry.begin);
    largest = std::max(largest, entry.micro_batch);
  }
  const size_t digits = fmt::formatted_size("{}", largest);
  const auto column = [&](double time) { return static_cast<size_t>(std::lround(time / slot)); };
  const std::string idle(digits + 1, '.');
  std::vector<std::vector<std::string>> cells(run.peak_saved.size(),
                                              std::vector<std::string>(column(run.duration), idle));
  for (const TimelineEntry& entry : run.timeline) {
    const char letter = entry.kind == ActionKind::kForward ? 'F' : 'B';
    for (size_t i = column(entry.begin); i < column(entry.end); ++i)
      cells[static_cast<size_t>(entry.stage)][i] =
          fmt::format("{}{:0{}}", letter, entry.micro_batch, digits);
  }
  std::string text;
  for (size_t stage = 0; stage < cells.size(); ++stage)
    text += fmt::format("stage {:2} | {}\n", stage, fmt::join(cells[stage], " "));
  return text;
}

std::string describe(const DryRun& run) {
  LYNCEUS_CHECK(run.finished, "the pipeline schedule deadlocks:\n{}", run.report);
  return fmt::format("{}micro-batches held by stage: {}; idle {:.1f} % of the time\n", draw(run),
                     fmt::join(run.peak_saved, ", "), 100 * run.bubble_fraction);
}

}  // namespace lynceus::parallel
