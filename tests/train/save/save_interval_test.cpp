// The interval between saves that loses the least time.
#include "train/save/save_interval.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "train/save/save_schedule.h"

namespace lynceus::train {
namespace {

using testing::HasSubstr;

TEST(YoungMinutes, AreTheOptimumOfHisFormula) {
  // C = 10 s, M = 24 h: sqrt(2 · 10 · 86400) = 1314.5 s.
  EXPECT_NEAR(young_minutes(10, 12, 24), 1314.53 / 60, 1e-3);
  // The cost C / T + T / 2M is least there.
  const double t = young_minutes(10, 12, 24) * 60;
  const auto cost = [](double seconds) { return 10 / seconds + seconds / (2 * 86400.0); };
  EXPECT_LT(cost(t), cost(0.9 * t));
  EXPECT_LT(cost(t), cost(1.1 * t));
}

TEST(YoungMinutes, LeaveTimeForASave) {
  EXPECT_DOUBLE_EQ(young_minutes(1e-6, 0.1, 1), 1) << "at least a minute";
  EXPECT_DOUBLE_EQ(young_minutes(0.01, 3600, 1), 72) << "a save of an hour, with some room";
}

TEST(PublishedMtbf, FallsWithTheNodes) {
  EXPECT_DOUBLE_EQ(published_mtbf_hours(1), 6000);
  EXPECT_DOUBLE_EQ(published_mtbf_hours(2048), 6000.0 / 2048);
}

CheckpointConfig automatic(const std::string& mtbf = "auto") {
  CheckpointConfig config;
  config.every_minutes = "auto";
  config.mtbf_hours = mtbf;
  return config;
}

TEST(AutomaticInterval, FollowsWhatSavesCostAndIsLoggedWhenItChanges) {
  SaveSchedule schedule(automatic("24"));
  const auto begin = SaveSchedule::Clock::now();
  const auto minutes = [](double count) {
    return std::chrono::duration_cast<SaveSchedule::Clock::duration>(
        std::chrono::duration<double, std::ratio<60>>(count));
  };
  EXPECT_THAT(schedule.describe(0, 10), HasSubstr("in 30 min"));
  EXPECT_THAT(schedule.took(10, 12), HasSubstr("every 21.9 min, because a save stops training for "
                                               "10.00 s and a failure is expected every 24 h"));
  schedule.restart(begin);
  EXPECT_FALSE(schedule.time_has_passed(begin + minutes(21.8)));
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(22)));
  EXPECT_EQ(schedule.took(11, 12), "") << "nearly the same";
  EXPECT_NE(schedule.took(0.1, 12), "");
  schedule.restart(begin);
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(3)));
}

TEST(AutomaticInterval, DependsOnTheNodes) {
  SaveSchedule one(automatic(), 1), many(automatic(), 100);
  one.took(1, 1);
  many.took(1, 1);
  EXPECT_THAT(one.describe(0, 10),
              HasSubstr(fmt::format("in {:g} min", std::sqrt(2 * 6000 * 3600.0) / 60)));
  EXPECT_THAT(many.describe(0, 10),
              HasSubstr(fmt::format("in {:g} min", std::sqrt(2 * 60 * 3600.0) / 60)));
}

TEST(AutomaticInterval, IsOffWhereMinutesAreGiven) {
  SaveSchedule schedule{CheckpointConfig()};
  EXPECT_EQ(schedule.took(100, 100), "");
  EXPECT_THAT(schedule.describe(0, 10), HasSubstr("in 30 min"));
}

}  // namespace
}  // namespace lynceus::train
