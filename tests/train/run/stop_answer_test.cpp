// What a run answers to a request to stop.
#include "train/run/stop_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace lynceus::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

StopSituation in_a_step(double step_seconds, double seconds_in) {
  StopSituation s;
  s.activity = Activity::kStep;
  s.step_seconds = step_seconds;
  s.seconds_in = seconds_in;
  s.save_seconds = 0.2;
  s.step = 47;
  s.saved_step = 40;
  return s;
}

TEST(StopAnswer, SaysHowLongTheStepAndTheSaveTake) {
  const std::string line = answer_to_stop(in_a_step(10, 4));
  EXPECT_EQ(line, "asked to stop: stopping after this step, in about 6.2 s");
}

TEST(StopAnswer, CountsTheSaveThatRunsMeanwhile) {
  StopSituation s = in_a_step(10, 4);
  s.save_seconds = 20;
  s.saving_seconds = 5;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("in about 41.0 s")) << "6 + 15 + 20";
}

TEST(StopAnswer, UnderMpirunItNamesTheTimeout) {
  StopSituation s = in_a_step(0.5, 0.1);
  s.limit = 2;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("in about 0.6 s; mpirun kills its ranks after 2 s"));
  EXPECT_THAT(answer_to_stop(s), HasSubstr("--mca odls_base_sigkill_timeout"));
  EXPECT_THAT(answer_to_stop(s), Not(HasSubstr("lost")));
  s.step_seconds = 1.5;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("in about 1.6 s; mpirun kills its ranks after 2 s"));
  EXPECT_THAT(answer_to_stop(s), HasSubstr("; if it does, ")) << "too near to be certain";
  s = in_a_step(0.5, 0.1);
  s.save_seconds = 0;
  s.limit = 2;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("; if it does, ")) << "no save has been measured";
  s.limit = 200;
  EXPECT_THAT(answer_to_stop(s), Not(HasSubstr("mpirun"))) << "there is time";
}

TEST(StopAnswer, WhereTheStepCannotEndItSaysWhatIsLost) {
  StopSituation s = in_a_step(10, 4);
  s.limit = 2;
  EXPECT_THAT(
      answer_to_stop(s),
      HasSubstr("the checkpoint of step 40 remains and the steps after it are lost, 7 so far"));
  s.saved_step = -1;
  EXPECT_THAT(answer_to_stop(s),
              HasSubstr("no checkpoint exists yet and all steps are lost, 47 so far"));
  s.saved_step = 46;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("are lost, 1 so far"));
  s.step_seconds = 0;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("whose time is not known"));
}

TEST(StopAnswer, WhatCanBeLeftIsLeft) {
  StopSituation s = in_a_step(10, 4);
  s.activity = Activity::kValidation;
  s.batch_seconds = 5;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("leaving the validation, in about 1.2 s"));
  s.activity = Activity::kWaiting;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("no longer waiting for data, in about 0.2 s"));
  s.saved_step = s.step;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("in about 0.0 s"));
  s.activity = Activity::kLoading;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("stopping while loading, no step was done"));
  s.activity = Activity::kSave;
  s.seconds_in = 0.1;
  EXPECT_THAT(answer_to_stop(s), HasSubstr("after this checkpoint, in about 0.1 s"));
}

TEST(StopAnswer, ABatchOfAValidationThatCannotEndSaysWhatIsLost) {
  StopSituation s = in_a_step(10, 4);
  s.activity = Activity::kValidation;
  s.limit = 2;
  s.batch_seconds = 30;
  EXPECT_THAT(
      answer_to_stop(s),
      AllOf(HasSubstr("leaving the validation, in about 26.2 s; mpirun kills"),
            HasSubstr(
                "the checkpoint of step 40 remains and the steps after it are lost, 7 so far")));
  s.batch_seconds = 0;
  EXPECT_THAT(answer_to_stop(s),
              AllOf(HasSubstr("after its first batch, whose time is not known; mpirun kills"),
                    HasSubstr("the checkpoint of step 40 remains")));
}

TEST(StopAnswer, WhileLoadingItNamesTheTimeoutAndThatNothingIsLost) {
  StopSituation s;
  s.limit = 2;
  EXPECT_THAT(answer_to_stop(s), AllOf(HasSubstr("none is lost; mpirun kills its ranks after 2 s"),
                                       Not(HasSubstr("remains"))));
}

TEST(StopClock, MeasuresTheBatchesOfAValidation) {
  StopClock clock;
  clock.begin(Activity::kValidation);
  clock.begin_batch();
  EXPECT_EQ(clock.situation().batch_seconds, 0) << "none has ended";
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  clock.begin_batch();
  EXPECT_GE(clock.situation().batch_seconds, 0.02);
  const double known = clock.situation().batch_seconds;
  clock.begin(Activity::kStep);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  clock.begin(Activity::kValidation);
  clock.begin_batch();
  EXPECT_EQ(clock.situation().batch_seconds, known) << "the step between is no batch";
}

TEST(StopClock, KnowsTheActivityAndTheLastTimes) {
  StopClock clock;
  EXPECT_EQ(clock.situation().activity, Activity::kLoading);
  EXPECT_EQ(clock.situation().saved_step, -1);
  clock.found(5);
  clock.at(7);
  clock.begin(Activity::kStep);
  clock.step_took(3);
  EXPECT_EQ(clock.situation().saved_step, 5);
  clock.saved(7, 0.5);
  const StopSituation s = clock.situation();
  EXPECT_EQ(s.activity, Activity::kStep);
  EXPECT_EQ(s.step, 7);
  EXPECT_EQ(s.saved_step, 7);
  EXPECT_EQ(s.step_seconds, 3);
  EXPECT_EQ(s.save_seconds, 0.5);
  EXPECT_LT(s.seconds_in, 1);
}

}  // namespace
}  // namespace lynceus::train
