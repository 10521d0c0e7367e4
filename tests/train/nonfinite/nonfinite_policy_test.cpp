// When a run stops, skips or goes back: the policy, its limit and its lines.
#include "train/nonfinite/nonfinite_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lynceus::train {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TrainConfig config_of(const std::string& policy, int64_t limit) {
  TrainConfig config;
  config.nonfinite = policy;
  config.nonfinite_limit = limit;
  return config;
}

std::vector<io::LeftOutStep> at(const std::vector<int64_t>& steps) {
  std::vector<io::LeftOutStep> list;
  for (const int64_t step : steps)
    list.push_back({.step = step, .first_sample = 0, .end_sample = 1});
  return list;
}

TEST(NonfiniteAction, FollowsThePolicy) {
  EXPECT_EQ(TrainConfig().nonfinite, "stop");
  EXPECT_EQ(action_after(config_of("stop", 10), {}, 5), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(config_of("skip", 10), {}, 5), NonfiniteAction::kSkip);
  EXPECT_EQ(action_after(config_of("rollback", 10), {}, 5), NonfiniteAction::kRollBack);
}

TEST(NonfiniteAction, TheLimitCountsWithinAHundredSteps) {
  const TrainConfig three = config_of("skip", 3);
  EXPECT_EQ(action_after(three, at({4}), 5), NonfiniteAction::kSkip);
  EXPECT_EQ(action_after(three, at({3, 4}), 5), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(three, at({3, 4}), 102), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(three, at({3, 4}), 103), NonfiniteAction::kSkip);
  // After a rollback the run meets earlier numbers again.
  EXPECT_EQ(action_after(config_of("rollback", 3), at({7, 7}), 7), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(config_of("rollback", 3), at({7, 9}), 5), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(config_of("rollback", 3), at({103, 104}), 5), NonfiniteAction::kStop);
  EXPECT_EQ(action_after(config_of("rollback", 3), at({104, 105}), 5), NonfiniteAction::kRollBack);
  EXPECT_EQ(action_after(config_of("rollback", 1), {}, 7), NonfiniteAction::kStop);
}

TEST(LeftOutAfterRollback, SkippedStepsAfterTheCheckpointComeAgain) {
  const std::vector<io::LeftOutStep> all = {
      {4, false, 24, 32}, {7, true, 48, 56}, {6, false, 40, 48}, {9, true, 72, 80}};
  const std::vector<io::LeftOutStep> kept = {
      {4, false, 24, 32}, {7, true, 48, 56}, {9, true, 72, 80}};
  EXPECT_EQ(left_out_after_rollback(all, 5), kept);
  EXPECT_EQ(left_out_after_rollback(all, 6), all);
}

TEST(NonfiniteLines, CountTheStepsWithinTheWindow) {
  StepResult result;
  result.loss = std::nan("");
  const TrainConfig skip = config_of("skip", 3);
  EXPECT_THAT(
      action_line(skip, at({4, 300}), 399, result),
      HasSubstr("(train.nonfinite = skip): number 2 of this kind within 100 steps, number 3 "
                "ends the run"));
  EXPECT_THAT(stop_text(skip, at({390, 395}), 399, result),
              HasSubstr("; this is the step number 3 of this kind within 100 steps "
                        "(train.nonfinite_limit)"));
  EXPECT_THAT(stop_text(config_of("stop", 3), at({390}), 399, result),
              AllOf(StartsWith("step 399: the loss is nan"), Not(HasSubstr("of this kind"))));
}

TEST(NonfiniteLines, SayWhereAndNameTheFirstFew) {
  NonfiniteOrigin origin;
  origin.place = NonfiniteOrigin::Place::kForward;
  origin.ranks = {0, 2};
  origin.samples = {{7, "b y"}, {3, "a x"}};
  EXPECT_THAT(
      origin_lines(9, origin),
      ElementsAre("step 9: values that are not finite arose in the forward pass; ranks 0, 2",
                  "step 9: samples of the ranks: a x, b y"));
  origin.place = NonfiniteOrigin::Place::kValues;
  origin.ranks = {1};
  origin.samples = {};
  origin.parameters = {"a", "b", "c", "d"};
  EXPECT_THAT(origin_lines(9, origin),
              ElementsAre("step 9: values that are not finite arose in the trained values or their "
                          "moments; rank 1",
                          "step 9: parameters with such values: a, b, c, d"));
  origin.place = NonfiniteOrigin::Place::kBackward;
  origin.parameters = {"a", "b", "c", "d", "e", "f"};
  EXPECT_THAT(origin_lines(9, origin),
              Contains("step 9: parameters with such gradients: a, b, c, d and 2 more"));
}

}  // namespace
}  // namespace lynceus::train
