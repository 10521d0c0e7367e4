// The run's own clock asks it to stop in time, and not before.
#include "train/incarnation/job_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "core/process/stop_request.h"
#include "core/text/utc.h"

namespace lynceus::train {
namespace {

TEST(Pace, MarginIsAStepAndASaveAndAFewSeconds) {
  Pace pace;
  EXPECT_DOUBLE_EQ(pace.margin(), 3);
  pace.guess_save(0.5, 400ull << 20);
  EXPECT_DOUBLE_EQ(pace.save(), 3) << "twice the trial, and 400 MiB at 200 MiB/s";
  pace.recall(7, 2);
  EXPECT_DOUBLE_EQ(pace.margin(), 7 + 1.5 * 2 + 3) << "an earlier start knew better";
  pace.step_took(10);
  EXPECT_DOUBLE_EQ(pace.step(), 10);
  pace.save_took(1);
  pace.save_took(4);
  pace.save_took(2);
  EXPECT_DOUBLE_EQ(pace.margin(), 10 + 1.5 * 4 + 3) << "the largest save";
  pace.set_saving(true);
  EXPECT_DOUBLE_EQ(pace.margin(), 10 + 4 + 1.5 * 4 + 3) << "one runs, another one may follow";
  pace.set_saving(false);
  EXPECT_DOUBLE_EQ(pace.margin(), 10 + 1.5 * 4 + 3);
}

TEST(Pace, TheSlowFirstStepCountsUntilThreeOthersAreKnown) {
  Pace pace;
  pace.step_took(10);
  pace.step_took(2);
  pace.step_took(1);
  EXPECT_DOUBLE_EQ(pace.step(), 10);
  pace.step_took(1);
  EXPECT_DOUBLE_EQ(pace.step(), 2);
  for (int i = 0; i < 20; ++i) pace.step_took(1.5);
  EXPECT_DOUBLE_EQ(pace.step(), 1.5) << "the step of 2 s is no longer recent";
}

class JobEndVariables : public testing::Test {
 protected:
  JobEndVariables() { clear(); }
  ~JobEndVariables() override {
    clear();
    set_stop_requested(false);
  }
  static void clear() {
    unsetenv("LYNCEUS_JOB_END");
    unsetenv("SLURM_JOB_END_TIME");
    unsetenv("LYNCEUS_JOB_SIGNAL");
  }
};

TEST_F(JobEndVariables, TheEarlierLimitCounts) {
  EXPECT_FALSE(find_job_end(0, 1000));
  EXPECT_DOUBLE_EQ(find_job_end(2, 1000)->unix_seconds, 8200);
  setenv("SLURM_JOB_END_TIME", "5000", 1);
  EXPECT_EQ(find_job_end(2, 1000)->source, "SLURM_JOB_END_TIME");
  EXPECT_EQ(find_job_end(1, 1000)->source, "train.max_hours = 1");
  setenv("LYNCEUS_JOB_END", "4000", 1);
  EXPECT_DOUBLE_EQ(find_job_end(0, 1000)->unix_seconds, 4000);
}

TEST_F(JobEndVariables, ARequestNearTheEndComesFromIt) {
  const auto explains = [](double seconds_left) {
    setenv("LYNCEUS_JOB_END", fmt::format("{:.0f}", unix_now() + seconds_left).c_str(), 1);
    return find_job_end(0, 0)->explains_request();
  };
  EXPECT_TRUE(explains(500)) << "nobody says when the signal comes";
  EXPECT_FALSE(explains(700));
  setenv("LYNCEUS_JOB_SIGNAL", "300", 1);
  EXPECT_TRUE(explains(350)) << "a minute early";
  EXPECT_FALSE(explains(450));
}

TEST_F(JobEndVariables, WhatIsNoTimeIsIgnored) {
  setenv("LYNCEUS_JOB_END", "NONE", 1);
  EXPECT_FALSE(find_job_end(0, 1000));
  setenv("LYNCEUS_JOB_END", "", 1);
  setenv("SLURM_JOB_END_TIME", "5000", 1);
  EXPECT_DOUBLE_EQ(find_job_end(0, 1000)->unix_seconds, 5000);
}

TEST_F(JobEndVariables, TheClockAsksOnceLessThanTheMarginIsLeft) {
  Pace pace;
  set_stop_requested(false);
  JobClock early({unix_now() + 60, "test"}, &pace);
  early.check();
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  EXPECT_FALSE(early.is_up());
  EXPECT_FALSE(stop_is_requested());
  pace.step_took(58);  // the thread sees it without a call
  for (int i = 0; i < 100 && !early.is_up(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(early.is_up());
  EXPECT_TRUE(stop_is_requested());
}

TEST(ProcessBegin, IsAMomentAgo) {
  EXPECT_LE(process_begin(), unix_now());
  EXPECT_GT(process_begin(), unix_now() - 3600);
}

}  // namespace
}  // namespace lynceus::train
