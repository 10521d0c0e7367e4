// Every schedule of up to 12 stages and 32 micro-batches is dry-run: it ends, it is complete and in
// order, its transfers match, it keeps within its memory. Broken schedules are caught.
#include "parallel/schedule.h"

#include <gmock/gmock.h>

#include "core/error.h"
#include "parallel/dry_run.h"

namespace lynceus::parallel {
namespace {

using testing::HasSubstr;

std::vector<int> order_of(const Schedule& schedule, ActionKind kind) {
  std::vector<int> micro_batches;
  for (const Action& action : schedule)
    if (action.kind == kind) micro_batches.push_back(action.micro_batch);
  return micro_batches;
}

std::vector<int> transfers(const Schedule& schedule, std::optional<int> Action::*part) {
  std::vector<int> micro_batches;
  for (const Action& action : schedule)
    if (action.*part) micro_batches.push_back(*(action.*part));
  return micro_batches;
}

std::vector<int> numbers_to(int end) {
  std::vector<int> numbers;
  for (int i = 0; i < end; ++i) numbers.push_back(i);
  return numbers;
}

void expect_transfers(const std::vector<Schedule>& schedules, int micro_batches, bool backward) {
  const std::vector<int> all = numbers_to(micro_batches);
  const std::vector<int> none;
  const std::vector<int>& back = backward ? all : none;
  for (size_t stage = 0; stage < schedules.size(); ++stage) {
    const bool first = stage == 0;
    const bool last = stage + 1 == schedules.size();
    EXPECT_EQ(transfers(schedules[stage], &Action::recv_activation), first ? none : all);
    EXPECT_EQ(transfers(schedules[stage], &Action::send_activation), last ? none : all);
    EXPECT_EQ(transfers(schedules[stage], &Action::recv_gradient), last ? none : back);
    EXPECT_EQ(transfers(schedules[stage], &Action::send_gradient), first ? none : back);
  }
}

class EverySchedule : public testing::TestWithParam<ScheduleKind> {};

TEST_P(EverySchedule, EndsCompleteInOrderAndWithinItsMemory) {
  for (int stages = 1; stages <= 12; ++stages)
    for (int micro_batches = 0; micro_batches <= 32; ++micro_batches) {
      SCOPED_TRACE(fmt::format("{} stages, {} micro-batches", stages, micro_batches));
      // Early exchanges end under the strictest rule too: no stage waits for what another cannot
      // make.
      const auto early = make_schedules(GetParam(), stages, micro_batches, /*early=*/true);
      const DryRun early_run = dry_run(early);
      ASSERT_TRUE(early_run.finished) << early_run.report;
      expect_transfers(early, micro_batches, true);
      const auto schedules = make_schedules(GetParam(), stages, micro_batches);
      const DryRun run = dry_run(schedules);
      ASSERT_TRUE(run.finished) << run.report;
      EXPECT_EQ(run.report, "");
      expect_transfers(schedules, micro_batches, true);
      EXPECT_EQ(early_run.peak_saved, run.peak_saved);
      for (int stage = 0; stage < stages; ++stage) {
        const Schedule& schedule = schedules[static_cast<size_t>(stage)];
        EXPECT_EQ(order_of(schedule, ActionKind::kForward), numbers_to(micro_batches));
        EXPECT_EQ(order_of(schedule, ActionKind::kBackward), numbers_to(micro_batches));
        const int allowed = GetParam() == ScheduleKind::kGpipe   ? micro_batches
                            : GetParam() == ScheduleKind::kEager ? 2 * (stages - stage) - 1
                                                                 : stages - stage;
        EXPECT_EQ(run.peak_saved[static_cast<size_t>(stage)], std::min(allowed, micro_batches));
      }
    }
}

TEST_P(EverySchedule, HasTheBubbleOfTheTextbook) {
  if (GetParam() == ScheduleKind::kEager) return;  // made for queues: schedule_overlap_test.cpp
  for (const double backward : {0.5, 1.0, 2.0})
    for (int stages = 1; stages <= 12; ++stages)
      for (int micro_batches = 1; micro_batches <= 32; micro_batches += 3) {
        const std::vector<StageCost> costs(static_cast<size_t>(stages), StageCost{1, backward});
        const DryRun run = dry_run(make_schedules(GetParam(), stages, micro_batches), costs);
        EXPECT_NEAR(run.bubble_fraction, (stages - 1.0) / (micro_batches + stages - 1.0), 1e-9)
            << stages << " stages, " << micro_batches << " micro-batches";
      }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EverySchedule,
                         testing::Values(ScheduleKind::kGpipe, ScheduleKind::kOneForwardOneBackward,
                                         ScheduleKind::kEager),
                         [](const auto& kind) { return "of_" + std::string(name_of(kind.param)); });

TEST(ForwardSchedule, EndsAndKeepsNothing) {
  for (int stages = 1; stages <= 12; ++stages)
    for (int micro_batches = 0; micro_batches <= 32; ++micro_batches) {
      std::vector<Schedule> schedules;
      for (int stage = 0; stage < stages; ++stage)
        schedules.push_back(make_forward_schedule(stages, stage, micro_batches));
      const DryRun run = dry_run(schedules);
      ASSERT_TRUE(run.finished) << run.report;
      expect_transfers(schedules, micro_batches, false);
      EXPECT_THAT(run.peak_saved, testing::Each(0));
      for (const Schedule& schedule : schedules) {
        EXPECT_EQ(order_of(schedule, ActionKind::kForward), numbers_to(micro_batches));
        EXPECT_TRUE(order_of(schedule, ActionKind::kBackward).empty());
      }
    }
}

TEST(Schedule, KindsAreParsedByName) {
  EXPECT_EQ(parse_schedule_kind("gpipe"), ScheduleKind::kGpipe);
  EXPECT_EQ(parse_schedule_kind("1f1b"), ScheduleKind::kOneForwardOneBackward);
  EXPECT_THAT([] { parse_schedule_kind("interleaved"); },
              testing::ThrowsMessage<UsageError>(HasSubstr("expected gpipe, 1f1b or eager")));
  EXPECT_THAT([] { parse_schedule_kind("1F1B"); },
              testing::ThrowsMessage<UsageError>(
                  "parallel.schedule is \"1F1B\": expected gpipe, 1f1b or eager"));
}

TEST(Schedule, PrintsItsOrder) {
  const auto kind = ScheduleKind::kOneForwardOneBackward;
  EXPECT_EQ(to_string(make_schedule(kind, 2, 0, 3)), "F0 F1 B0 F2 B1 B2");
  EXPECT_EQ(to_string(make_schedule(kind, 2, 1, 3)), "F0 B0 F1 B1 F2 B2");
  EXPECT_EQ(to_string(make_schedule(ScheduleKind::kGpipe, 2, 0, 2)), "F0 F1 B0 B1");
}

TEST(DryRun, DrawsTheStagesOverTime) {
  const auto schedules = make_schedules(ScheduleKind::kOneForwardOneBackward, 2, 3);
  EXPECT_EQ(draw(dry_run(schedules)),
            "stage  0 | F0 F1 .. B0 F2 B1 .. B2\n"
            "stage  1 | .. F0 B0 F1 B1 F2 B2 ..\n");
  // A backward that lasts twice as long takes two columns.
  const std::vector<StageCost> costs(2, StageCost{1, 2});
  EXPECT_EQ(draw(dry_run(make_schedules(ScheduleKind::kGpipe, 2, 1), costs)),
            "stage  0 | F0 .. .. .. B0 B0\n"
            "stage  1 | .. F0 B0 B0 .. ..\n");
  EXPECT_EQ(draw(dry_run(make_schedules(ScheduleKind::kGpipe, 2, 0))), "");
}

TEST(DryRun, IsDescribedWithWhatItCosts) {
  EXPECT_EQ(describe(dry_run(make_schedules(ScheduleKind::kOneForwardOneBackward, 2, 3))),
            "stage  0 | F0 F1 .. B0 F2 B1 .. B2\n"
            "stage  1 | .. F0 B0 F1 B1 F2 B2 ..\n"
            "micro-batches held by stage: 2, 1; idle 25.0 % of the time\n");
  auto stalled = make_schedules(ScheduleKind::kGpipe, 2, 1);
  stalled[1].clear();
  EXPECT_THAT([&] { describe(dry_run(stalled)); },
              testing::ThrowsMessage<InternalError>(
                  HasSubstr("stage 0 waits at action 1 to receive gradient 0, send activation 0")));
}

// Detectors, each with a schedule that must set it off.

TEST(DryRun, CatchesTransfersThatAreNotGrouped) {
  // Classic mistake: in 1F1B's steady phase each side sends first and receives afterwards.
  auto schedules = make_schedules(ScheduleKind::kOneForwardOneBackward, 2, 4);
  for (Schedule& schedule : schedules) {
    Schedule apart;
    for (const Action& action : schedule) {
      Action sends = action, receives = action;
      sends.recv_activation = sends.recv_gradient = std::nullopt;
      receives.send_activation = receives.send_gradient = std::nullopt;
      if (action.kind != ActionKind::kExchange) apart.push_back(action);
      if (action.kind == ActionKind::kExchange && sends != Action{}) apart.push_back(sends);
      if (action.kind == ActionKind::kExchange && receives != Action{}) apart.push_back(receives);
    }
    schedule = apart;
  }
  const DryRun run = dry_run(schedules);
  EXPECT_FALSE(run.finished);
  EXPECT_EQ(run.report,
            "stage 0 waits at action 3 to send activation 1\n"
            "stage 1 waits at action 3 to send gradient 0");
}

TEST(DryRun, CatchesASendWithoutReceiver) {
  auto schedules = make_schedules(ScheduleKind::kGpipe, 3, 2);
  schedules[1] = make_schedule(ScheduleKind::kGpipe, 3, 1, 1);
  const DryRun run = dry_run(schedules);
  EXPECT_FALSE(run.finished);
  EXPECT_THAT(run.report,
              HasSubstr("stage 0 waits at action 3 to receive gradient 0, send activation 1"));
}

TEST(DryRun, CatchesATransferOfAnotherMicroBatch) {
  auto schedules = make_schedules(ScheduleKind::kGpipe, 2, 2);
  schedules[1][0].recv_activation = 1;
  EXPECT_EQ(dry_run(schedules).report, "stage 1 expects micro-batch 1 from stage 0, which sends 0");
}

TEST(DryRun, CatchesWorkBeforeItsInput) {
  auto schedules = make_schedules(ScheduleKind::kGpipe, 2, 1);
  std::swap(schedules[1][0], schedules[1][1]);
  EXPECT_THAT(dry_run(schedules).report, HasSubstr("its activation has not been received"));

  schedules = make_schedules(ScheduleKind::kGpipe, 1, 1);
  std::swap(schedules[0][0], schedules[0][1]);
  EXPECT_THAT(dry_run(schedules).report, HasSubstr("it was not forwarded"));

  schedules = make_schedules(ScheduleKind::kGpipe, 1, 2);
  schedules[0][1].micro_batch = 0;
  EXPECT_THAT(dry_run(schedules).report, HasSubstr("it was done before"));

  schedules = make_schedules(ScheduleKind::kGpipe, 2, 1);
  std::swap(schedules[0][0], schedules[0][1]);
  EXPECT_THAT(dry_run(schedules).report, HasSubstr("the tensor to send has not been computed"));
}

}  // namespace
}  // namespace lynceus::parallel
