#include "parallel/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"

namespace lynceus::parallel {

namespace {

Action compute(ActionKind kind, int micro_batch) {
  Action action;
  action.kind = kind;
  action.micro_batch = micro_batch;
  return action;
}

void append(Schedule* order, ActionKind kind, int begin, int end) {
  for (int micro_batch = begin; micro_batch < end; ++micro_batch)
    order->push_back(compute(kind, micro_batch));
}

/// The computations of a stage, without transfers.
Schedule order_of(ScheduleKind kind, int stages, int stage, int micro_batches) {
  Schedule order;
  if (kind == ScheduleKind::kGpipe) {
    append(&order, ActionKind::kForward, 0, micro_batches);
    append(&order, ActionKind::kBackward, 0, micro_batches);
    return order;
  }
  // Stage s runs ahead by as many micro-batches as there are stages after it; eager by twice as
  // many, so that neighbours differ by two and each is one ahead of what the other waits for.
  const int lead = kind == ScheduleKind::kEager ? 2 : 1;
  const int ahead = std::min(lead * (stages - 1 - stage), micro_batches);
  append(&order, ActionKind::kForward, 0, ahead);
  for (int micro_batch = ahead; micro_batch < micro_batches; ++micro_batch) {
    order.push_back(compute(ActionKind::kForward, micro_batch));
    order.push_back(compute(ActionKind::kBackward, micro_batch - ahead));
  }
  append(&order, ActionKind::kBackward, micro_batches - ahead, micro_batches);
  return order;
}

constexpr int kNone = -1;

/// The position of a computation in an order.
int position_of(const Schedule& order, ActionKind kind, int micro_batch) {
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i].kind == kind && order[i].micro_batch == micro_batch) return static_cast<int>(i);
  return kNone;
}

/// The last of this stage's computations whose result the neighbour requests before it sends its
/// result of `kind` of `micro_batch`; it requests one computation early. Forwards feed the next
/// stage, backwards the previous one.
int needed_before(const Schedule& own, const Schedule& neighbour, ActionKind kind,
                  int micro_batch) {
  const ActionKind fed =
      kind == ActionKind::kBackward ? ActionKind::kForward : ActionKind::kBackward;
  const int asked = std::min(position_of(neighbour, kind, micro_batch) + 1,
                             static_cast<int>(neighbour.size()) - 1);
  for (int i = asked; i >= 0; --i) {
    const Action& action = neighbour[static_cast<size_t>(i)];
    if (action.kind == fed) return position_of(own, fed, action.micro_batch);
  }
  return kNone;
}

/// The orders of a stage and of its neighbours; empty without a neighbour.
struct Orders {
  Schedule own, before, after;
};

/// Adds the exchanges: the one before computation i sends the result of i − 1 and receives the
/// input of i. If `early`, the input of i + 1 that the neighbour can have computed by then is
/// received in a second exchange after it, for which i does not wait.
Schedule with_exchanges(const Orders& orders, bool first_stage, bool last_stage, bool early) {
  const Schedule& order = orders.own;
  std::vector<Action> exchanges(order.size() + 1), ahead(order.size() + 1);
  for (size_t i = 0; i < order.size(); ++i) {
    const ActionKind kind = order[i].kind;
    const int micro_batch = order[i].micro_batch;
    const bool forward = kind == ActionKind::kForward;
    if (forward && !last_stage) exchanges[i + 1].send_activation = micro_batch;
    if (!forward && !first_stage) exchanges[i + 1].send_gradient = micro_batch;
    if (forward ? first_stage : last_stage) continue;
    const Schedule& neighbour = forward ? orders.before : orders.after;
    const bool is_early =
        early && i > 0 &&
        needed_before(order, neighbour, kind, micro_batch) + 1 < static_cast<int>(i);
    Action& exchange = is_early ? ahead[i - 1] : exchanges[i];
    (forward ? exchange.recv_activation : exchange.recv_gradient) = micro_batch;
  }
  Schedule schedule;
  for (size_t i = 0; i <= order.size(); ++i) {
    for (const Action& exchange : {exchanges[i], ahead[i]})
      if (exchange != Action{}) schedule.push_back(exchange);
    if (i < order.size()) schedule.push_back(order[i]);
  }
  return schedule;
}

void check_place(int stages, int stage, int micro_batches) {
  LYNCEUS_CHECK(stages >= 1 && stage >= 0 && stage < stages && micro_batches >= 0,
                "stage {} of {} with {} micro-batches", stage, stages, micro_batches);
}

}  // namespace

ScheduleKind parse_schedule_kind(std::string_view name) {
  if (name == "gpipe") return ScheduleKind::kGpipe;
  if (name == "1f1b") return ScheduleKind::kOneForwardOneBackward;
  if (name == "eager") return ScheduleKind::kEager;
  throw UsageError("parallel.schedule is \"{}\": expected gpipe, 1f1b or eager", name);
}

const char* name_of(ScheduleKind kind) {
  return kind == ScheduleKind::kGpipe ? "gpipe" : kind == ScheduleKind::kEager ? "eager" : "1f1b";
}

Schedule make_schedule(ScheduleKind kind, int stages, int stage, int micro_batches, bool early) {
  check_place(stages, stage, micro_batches);
  const auto order = [&](int of) {
    return of < 0 || of >= stages ? Schedule() : order_of(kind, stages, of, micro_batches);
  };
  return with_exchanges({order(stage), order(stage - 1), order(stage + 1)}, stage == 0,
                        stage + 1 == stages, early);
}

Schedule make_forward_schedule(int stages, int stage, int micro_batches) {
  check_place(stages, stage, micro_batches);
  Schedule order;
  append(&order, ActionKind::kForward, 0, micro_batches);
  return with_exchanges({order, order, order}, stage == 0, stage + 1 == stages, false);
}

std::vector<Schedule> make_schedules(ScheduleKind kind, int stages, int micro_batches, bool early) {
  std::vector<Schedule> schedules;
  for (int stage = 0; stage < stages; ++stage)
    schedules.push_back(make_schedule(kind, stages, stage, micro_batches, early));
  return schedules;
}

std::string to_string(const Action& action) {
  if (action.kind == ActionKind::kForward) return fmt::format("F{}", action.micro_batch);
  if (action.kind == ActionKind::kBackward) return fmt::format("B{}", action.micro_batch);
  std::vector<std::string> parts;
  const auto add = [&](const char* words, const std::optional<int>& micro_batch) {
    if (micro_batch) parts.push_back(fmt::format("{} {}", words, *micro_batch));
  };
  add("receive activation", action.recv_activation);
  add("receive gradient", action.recv_gradient);
  add("send activation", action.send_activation);
  add("send gradient", action.send_gradient);
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string to_string(const Schedule& schedule) {
  std::string text;
  for (const Action& action : schedule) {
    if (action.kind == ActionKind::kExchange) continue;
    if (!text.empty()) text += ' ';
    text += to_string(action);
  }
  return text;
}

}  // namespace lynceus::parallel
