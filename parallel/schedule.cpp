// See schedule.h.
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
  // Stage s runs ahead by as many micro-batches as there are stages after it.
  const int ahead = std::min(stages - 1 - stage, micro_batches);
  append(&order, ActionKind::kForward, 0, ahead);
  for (int micro_batch = ahead; micro_batch < micro_batches; ++micro_batch) {
    order.push_back(compute(ActionKind::kForward, micro_batch));
    order.push_back(compute(ActionKind::kBackward, micro_batch - ahead));
  }
  append(&order, ActionKind::kBackward, micro_batches - ahead, micro_batches);
  return order;
}

/// Puts between neighbouring computations the exchange that both need.
Schedule with_exchanges(const Schedule& order, bool first_stage, bool last_stage) {
  Schedule schedule;
  for (size_t i = 0; i <= order.size(); ++i) {
    Action exchange;
    if (i > 0) {
      const Action& done = order[i - 1];
      if (done.kind == ActionKind::kForward && !last_stage)
        exchange.send_activation = done.micro_batch;
      if (done.kind == ActionKind::kBackward && !first_stage)
        exchange.send_gradient = done.micro_batch;
    }
    if (i < order.size()) {
      const Action& next = order[i];
      if (next.kind == ActionKind::kForward && !first_stage)
        exchange.recv_activation = next.micro_batch;
      if (next.kind == ActionKind::kBackward && !last_stage)
        exchange.recv_gradient = next.micro_batch;
    }
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
  if (name == "interleaved")
    throw UsageError("parallel.schedule interleaved: not yet, use gpipe or 1f1b");
  throw UsageError("parallel.schedule is \"{}\": expected gpipe or 1f1b", name);
}

const char* name_of(ScheduleKind kind) { return kind == ScheduleKind::kGpipe ? "gpipe" : "1f1b"; }

Schedule make_schedule(ScheduleKind kind, int stages, int stage, int micro_batches) {
  check_place(stages, stage, micro_batches);
  return with_exchanges(order_of(kind, stages, stage, micro_batches), stage == 0,
                        stage + 1 == stages);
}

Schedule make_forward_schedule(int stages, int stage, int micro_batches) {
  check_place(stages, stage, micro_batches);
  Schedule order;
  append(&order, ActionKind::kForward, 0, micro_batches);
  return with_exchanges(order, stage == 0, stage + 1 == stages);
}

std::vector<Schedule> make_schedules(ScheduleKind kind, int stages, int micro_batches) {
  std::vector<Schedule> schedules;
  for (int stage = 0; stage < stages; ++stage)
    schedules.push_back(make_schedule(kind, stages, stage, micro_batches));
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
