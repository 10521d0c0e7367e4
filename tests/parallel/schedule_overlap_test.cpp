// The duration of schedules if transfers take time and overlap with computations: each stage has
// one queue of exchanges in order, like a device's communicator. Eager 1F1B with early receives
// pays for transfers only while the pipeline fills and drains; 1F1B pays for each micro-batch.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "parallel/dry_run.h"

namespace lynceus::parallel {
namespace {

/// An exchange in a stage's queue. Times are -1 until they are known.
struct Queued {
  Action action;
  double posted = -1;  // when the computations before it have ended
  double closed = -1;
};

class Simulation {
 public:
  Simulation(std::vector<Schedule> schedules, const StageCost& cost, double transfer)
      : schedules_(std::move(schedules)),
        cost_(cost),
        transfer_(transfer),
        next_(schedules_.size()),
        time_(schedules_.size()),
        queues_(schedules_.size()) {}

  /// When the last stage has computed; -1 if a stage never gets what it needs.
  double duration() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t stage = 0; stage < schedules_.size(); ++stage) moved |= compute(stage);
      for (size_t stage = 0; stage < schedules_.size(); ++stage) moved |= close_first(stage);
    }
    for (size_t stage = 0; stage < schedules_.size(); ++stage)
      if (next_[stage] < schedules_[stage].size()) return -1;
    return *std::max_element(time_.begin(), time_.end());
  }

 private:
  using Part = std::optional<int> Action::*;

  /// Gives a stage's next action to its computations or its queue, if its time is known.
  bool compute(size_t stage) {
    if (next_[stage] == schedules_[stage].size()) return false;
    const Action& action = schedules_[stage][next_[stage]];
    if (action.kind == ActionKind::kExchange) {
      queues_[stage].push_back({action, time_[stage]});
    } else {
      const bool forward = action.kind == ActionKind::kForward;
      const bool receives = forward ? stage > 0 : stage + 1 < schedules_.size();
      const Part part = forward ? &Action::recv_activation : &Action::recv_gradient;
      if (receives) {
        const double arrived = closing_time(stage, part, action.micro_batch);
        if (arrived < 0) return false;
        time_[stage] = std::max(time_[stage], arrived);
      }
      time_[stage] += forward ? cost_.forward : cost_.backward;
    }
    ++next_[stage];
    return true;
  }

  double closing_time(size_t stage, Part part, int micro_batch) const {
    for (const Queued& queued : queues_[stage])
      if (queued.action.*part == micro_batch) return queued.closed;
    return -1;
  }

  /// When the exchange that has this part is at the head of its stage's queue; -1: not yet.
  double opening_time(size_t stage, Part part, int micro_batch) const {
    double before = 0;
    for (const Queued& queued : queues_[stage]) {
      if (before < 0) return -1;
      if (queued.action.*part == micro_batch) return std::max(queued.posted, before);
      before = queued.closed;
    }
    return -1;
  }

  /// Closes the first open exchange of a stage if all its counterparts are open too.
  bool close_first(size_t stage) {
    double before = 0;
    for (Queued& queued : queues_[stage]) {
      if (queued.closed >= 0) {
        before = queued.closed;
        continue;
      }
      double closed = std::max(queued.posted, before);
      const auto meet = [&](Part part, int neighbour, Part theirs) {
        if (!(queued.action.*part) || closed < 0) return;
        const double open =
            opening_time(stage + static_cast<size_t>(neighbour), theirs, *(queued.action.*part));
        closed = open < 0 ? -1 : std::max(closed, std::max(open, queued.posted) + transfer_);
      };
      meet(&Action::recv_activation, -1, &Action::send_activation);
      meet(&Action::send_gradient, -1, &Action::recv_gradient);
      meet(&Action::send_activation, 1, &Action::recv_activation);
      meet(&Action::recv_gradient, 1, &Action::send_gradient);
      if (closed < 0) return false;
      queued.closed = closed;
      return true;
    }
    return false;
  }

  std::vector<Schedule> schedules_;
  StageCost cost_;
  double transfer_;
  std::vector<size_t> next_;
  std::vector<double> time_;
  std::vector<std::vector<Queued>> queues_;
};

double duration(ScheduleKind kind, int stages, int micro_batches, bool early, double transfer) {
  return Simulation(make_schedules(kind, stages, micro_batches, early), {1, 2}, transfer)
      .duration();
}

TEST(ScheduleOverlap, EveryScheduleEndsInQueuesOfTheirOwn) {
  for (const ScheduleKind kind :
       {ScheduleKind::kGpipe, ScheduleKind::kOneForwardOneBackward, ScheduleKind::kEager})
    for (int stages = 1; stages <= 12; ++stages)
      for (int micro_batches = 1; micro_batches <= 32; ++micro_batches)
        for (const bool early : {false, true}) {
          SCOPED_TRACE(fmt::format("{}, early {}, {} stages, {} micro-batches", name_of(kind),
                                   early, stages, micro_batches));
          const double found = duration(kind, stages, micro_batches, early, 0);
          ASSERT_GT(found, 0);
          // Eager stages run ahead of neighbours who would have to receive early too.
          if (kind == ScheduleKind::kEager && !early) continue;
          EXPECT_NEAR(found, 3 * (micro_batches + stages - 1), 1e-9);
        }
}

TEST(ScheduleOverlap, EagerPaysForTransfersOnlyWhileThePipelineFillsAndDrains) {
  constexpr double kTransfer = 0.1;
  for (int stages = 2; stages <= 12; ++stages)
    for (const int micro_batches : {8, 32, 64}) {
      if (micro_batches < 2 * stages) continue;
      SCOPED_TRACE(fmt::format("{} stages, {} micro-batches", stages, micro_batches));
      const double ideal = 3 * (micro_batches + stages - 1);
      const double ends = 2 * (stages - 1) * kTransfer;  // down once, up once
      EXPECT_LE(duration(ScheduleKind::kEager, stages, micro_batches, true, kTransfer),
                ideal + ends + 1e-9);
      // Lock step: each stage waits for two transfers per micro-batch.
      EXPECT_GE(
          duration(ScheduleKind::kOneForwardOneBackward, stages, micro_batches, false, kTransfer),
          ideal + micro_batches * kTransfer);
    }
}

}  // namespace
}  // namespace lynceus::parallel
