// Pipeline schedules as data: the computations of each stage and its exchanges with its neighbours,
// in order. Pure functions make them; the training step executes them; a dry run checks them for
// deadlock and measures memory and bubbles without MPI.
//
// A schedule is an order of computations. Between two of them is one grouped exchange that sends
// the result of the first and receives the input of the second (GPipe: Huang et al. 2019; 1F1B:
// Narayanan et al. 2021). If transfers overlap with computations (`early`), the input of the
// computation after the second is received by an exchange after it, where the neighbour can have
// sent it by then. Under 1F1B neighbours work in lock step, so a transfer overlaps with no
// computation. Eager 1F1B keeps each stage one micro-batch further ahead of the next, which gives
// every transfer the time of one computation and costs memory (Zhuang et al., "On Optimizing the
// Communication of Model Parallelism", 2023). The backward order of micro-batches is always 0, 1,
// 2, …, so gradients are summed in one order and the results of all schedules are bit-equal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::parallel {

enum class ScheduleKind { kGpipe, kOneForwardOneBackward, kEager };

/// "gpipe", "1f1b" or "eager", the values of parallel.schedule; anything else is a UsageError.
ScheduleKind parse_schedule_kind(std::string_view name);
const char* name_of(ScheduleKind kind);

enum class ActionKind { kForward, kBackward, kExchange };

struct Action {
  ActionKind kind = ActionKind::kExchange;
  int micro_batch = 0;  ///< of kForward and kBackward

  // The parts of a kExchange: the micro-batch whose tensor travels. All parts are one
  // Communicator::exchange.
  std::optional<int> recv_activation;  ///< from the stage before
  std::optional<int> recv_gradient;    ///< from the stage after
  std::optional<int> send_activation;  ///< to the stage after
  std::optional<int> send_gradient;    ///< to the stage before

  bool operator==(const Action&) const = default;
};

/// The actions of one stage.
using Schedule = std::vector<Action>;

/// Micro-batches may be fewer than stages, or none. Under 1F1B stage s of P holds at most P − s
/// micro-batches between their forward and their backward, under eager 1F1B 2 (P − s) − 1, under
/// GPipe all. `early`: for transfers that overlap with computations; the same on all stages.
Schedule make_schedule(ScheduleKind kind, int stages, int stage, int micro_batches,
                       bool early = false);
/// Forward only, for validation: no micro-batch is saved for backward.
Schedule make_forward_schedule(int stages, int stage, int micro_batches);

/// The schedules of all stages.
std::vector<Schedule> make_schedules(ScheduleKind kind, int stages, int micro_batches,
                                     bool early = false);

/// The computations in order: "F0 F1 B0 F2 B1 …".
std::string to_string(const Schedule& schedule);
/// A computation or an exchange as text: "F3", "receive gradient 1, send activation 3".
std::string to_string(const Action& action);

}  // namespace lynceus::parallel
