// When a run stops, skips or goes back: the policy and its limit.
#include "train/nonfinite/nonfinite_policy.h"

#include <gtest/gtest.h>

namespace lynceus::train {
namespace {

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

}  // namespace
}  // namespace lynceus::train
