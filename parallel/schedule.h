// Pipeline schedules as data: what each stage computes and what it exchanges with its neighbours,
// in order. Pure functions make them; the executor (train) runs them, dry_run.h proves them free of
// stalls and measures memory and bubbles without MPI.
//
// Every schedule is an order of computations; between two of them stands one grouped exchange that
// sends what the first made and receives what the second needs (GPipe: Huang et al. 2019; 1F1B:
// Narayanan et al. 2021). Where transfers run beside computations, what the one after the second
// needs is received behind it, as far as that can be under way by then (`early`). Under 1F1B
// neighbours work in lock step and a transfer has nobody's computation to hide behind; eager 1F1B
// keeps each stage one micro-batch further ahead of the next, which gives every transfer the time
// of one computation and costs memory (Zhuang et al., "On Optimizing the Communication of Model
// Parallelism", 2023). Micro-batches run backward as 0, 1, 2, … everywhere, so that gradients are
// summed in one order and all schedules are equal to the bit.
#pragma once

#include <optional>
#include <span>
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

/// Micro-batches may be fewer than stages, or none. Under 1F1B stage s of P never holds more than
/// P − s micro-batches between their forward and their backward, under eager 1F1B 2 (P − s) − 1;
/// under GPipe it holds all. `early`: for transfers that run beside computations; the same on all
/// stages.
Schedule make_schedule(ScheduleKind kind, int stages, int stage, int micro_batches,
                       bool early = false);
/// Forward only, for validation: nothing is kept.
Schedule make_forward_schedule(int stages, int stage, int micro_batches);

/// The schedules of all stages.
std::vector<Schedule> make_schedules(ScheduleKind kind, int stages, int micro_batches,
                                     bool early = false);

/// The computations in order: "F0 F1 B0 F2 B1 …".
std::string to_string(const Schedule& schedule);
/// One part of an exchange or a computation in words: "F3", "send activation 3, receive gradient
/// 1".
std::string to_string(const Action& action);

}  // namespace lynceus::parallel
