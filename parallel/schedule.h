// Pipeline schedules as data: what each stage computes and what it exchanges with its neighbours,
// in order. Pure functions make them; the executor (train) runs them, dry_run.h proves them free of
// stalls and measures memory and bubbles without MPI.
//
// Every schedule is an order of computations; between two of them stands one grouped exchange that
// sends what the first made and receives what the second needs (GPipe: Huang et al. 2019; 1F1B:
// Narayanan et al. 2021). Micro-batches run backward as 0, 1, 2, … everywhere, so that gradients
// are summed in one order and all schedules are equal to the bit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::parallel {

enum class ScheduleKind { kGpipe, kOneForwardOneBackward };

/// "gpipe" or "1f1b", the values of parallel.schedule; anything else is a UsageError.
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
/// P − s micro-batches between their forward and their backward; under GPipe it holds all.
Schedule make_schedule(ScheduleKind kind, int stages, int stage, int micro_batches);
/// Forward only, for validation: nothing is kept.
Schedule make_forward_schedule(int stages, int stage, int micro_batches);

/// The schedules of all stages.
std::vector<Schedule> make_schedules(ScheduleKind kind, int stages, int micro_batches);

/// The computations in order: "F0 F1 B0 F2 B1 …".
std::string to_string(const Schedule& schedule);
/// One part of an exchange or a computation in words: "F3", "send activation 3, receive gradient
/// 1".
std::string to_string(const Action& action);

}  // namespace lynceus::parallel
