// When a run saves, and what its log says about that.
#include "train/save/save_schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

namespace lynceus::train {
namespace {

CheckpointConfig config_of(double minutes, int64_t steps) {
  CheckpointConfig config;
  config.every_minutes = fmt::format("{}", minutes);
  config.every = steps;
  return config;
}

TEST(SaveSchedule, ByDefaultByTime) {
  const SaveSchedule schedule{CheckpointConfig()};
  EXPECT_EQ(CheckpointConfig().every_minutes, "30");
  EXPECT_FALSE(schedule.is_due_at(1000));
  EXPECT_FALSE(schedule.time_has_passed());
}

TEST(SaveSchedule, ByTime) {
  SaveSchedule schedule(config_of(0.2 / 60, 0));
  EXPECT_FALSE(schedule.time_has_passed());
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  EXPECT_TRUE(schedule.time_has_passed());
  schedule.restart();
  EXPECT_FALSE(schedule.time_has_passed());
  const SaveSchedule off(config_of(0, 0));
  EXPECT_FALSE(off.time_has_passed());
}

TEST(SaveSchedule, AFailedSaveIsTriedAgainSoon) {
  using std::chrono::minutes;
  SaveSchedule schedule(config_of(30, 0));
  const auto begin = SaveSchedule::Clock::now();
  schedule.restart(begin);
  EXPECT_FALSE(schedule.time_has_passed(begin + minutes(29)));
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(30)));
  schedule.failed(begin + minutes(30));
  EXPECT_FALSE(schedule.time_has_passed(begin + minutes(30)));
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(31)));
  schedule.failed(begin + minutes(31));
  EXPECT_FALSE(schedule.time_has_passed(begin + minutes(40)));
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(41)));
  schedule.restart(begin + minutes(41));
  EXPECT_FALSE(schedule.time_has_passed(begin + minutes(70)));
  schedule.failed(begin + minutes(71));
  EXPECT_TRUE(schedule.time_has_passed(begin + minutes(72))) << "after a success the first again";
}

TEST(SaveSchedule, ARetryIsNoLaterThanASave) {
  SaveSchedule often(config_of(0.5, 0));
  const auto begin = SaveSchedule::Clock::now();
  often.failed(begin);
  EXPECT_TRUE(often.time_has_passed(begin + std::chrono::seconds(31)));
  SaveSchedule off(config_of(0, 0));
  off.failed(begin);
  EXPECT_FALSE(off.time_has_passed(begin + std::chrono::hours(9)));
}

TEST(SaveSchedule, BySteps) {
  const SaveSchedule schedule(config_of(0, 5));
  for (const int64_t step : {5, 10}) EXPECT_TRUE(schedule.is_due_at(step));
  for (const int64_t step : {1, 4, 6}) EXPECT_FALSE(schedule.is_due_at(step));
}

TEST(SaveSchedule, SaysWhenTheNextIsDue) {
  EXPECT_EQ(SaveSchedule(config_of(30, 500)).describe(0, 1200),
            "next checkpoint in 30 min or at step 500");
  EXPECT_EQ(SaveSchedule(config_of(0, 500)).describe(500, 1200), "next checkpoint at step 1000");
  EXPECT_EQ(SaveSchedule(config_of(0.5, 500)).describe(1000, 1200),
            "next checkpoint in 0.5 min or at step 1200, the end of this run");
  EXPECT_EQ(SaveSchedule(config_of(0, 0)).describe(7, 1200),
            "next checkpoint at step 1200, the end of this run");
}

}  // namespace
}  // namespace lynceus::train
