// Fault points: the syntax of LYNCEUS_FAULT, and that a point fires at the specified visit.
#include "core/fault.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"

namespace lynceus {
namespace {

// Before main(), because the library reads the variable while it loads.
const int kEnvironment =
    setenv("LYNCEUS_FAULT",
           "step.before_reduce#2=throw,checkpoint.write=enospc,checkpoint.begin@7=kill,"
           "step.gradient#2-3=do,step.output=throw,watch.flip_bit#2=do",
           1);

TEST(Fault, ParsesNameRankAndCount) {
  const auto plans = fault::parse_plans(
      "checkpoint.before_rename@3#2=kill,step.before_reduce:hang,prepare.shard=term,"
      "lease.after_sweep=pause,step.gradient@1#5-7:do");
  ASSERT_EQ(plans.size(), 5u);
  EXPECT_EQ(plans[0].name, "checkpoint.before_rename");
  EXPECT_EQ(plans[0].rank, 3);
  EXPECT_EQ(plans[0].nth, 2);
  EXPECT_EQ(plans[0].action, fault::FaultAction::kKill);
  EXPECT_EQ(plans[1].rank, -1);
  EXPECT_EQ(plans[1].nth, 1);
  EXPECT_EQ(plans[1].action, fault::FaultAction::kHang);
  EXPECT_EQ(plans[2].action, fault::FaultAction::kTerminate);
  EXPECT_EQ(plans[3].action, fault::FaultAction::kPause);
  EXPECT_EQ(plans[4], (fault::Plan{"step.gradient", 1, 5, 7, fault::FaultAction::kDo}));
}

TEST(Fault, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"step.gradient", "=kill", "step.gradient=explode", "step.gradient@=kill",
                           "step.gradient#0=kill", "step.gradient@1a=kill", "@1=kill", "x=kill",
                           "watch.step#3-2=slow", "watch.step#3-=slow", "watch.step=do"})
    EXPECT_THROW(fault::parse_plans(text), UsageError) << text;
  const auto message_of = [](const char* text) -> std::string {
    try {
      fault::parse_plans(text, "fault");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of("step.gradeint:do"),
            "fault: unknown fault point 'step.gradeint'; the nearest known one is 'step.gradient'; "
            "`lynceus train --fault help` lists all");
  EXPECT_EQ(message_of("step.before_reduce:do"),
            "fault: the fault point 'step.before_reduce' has no action of its own for 'do': "
            "expected one of mpi.one_thread, step.gradient, step.output, watch.another_call, "
            "watch.flip_bit");
  EXPECT_EQ(message_of("step.gradient:dp"),
            "fault: expected "
            "name[@rank][#nth[-last]]=kill|throw|hang|enospc|term|pause|slow|delay|do, found "
            "'step.gradient:dp'");
}

TEST(Fault, AsksForTheActionOfThePlaceFromTheNthToTheLastVisit) {
  const auto plan = fault::parse_plans("watch.step#3-7=slow")[0];
  EXPECT_EQ(plan.nth, 3);
  EXPECT_EQ(plan.last, 7);
  EXPECT_EQ(plan.action, fault::FaultAction::kSlow);
  EXPECT_EQ(fault::parse_plans("watch.step=delay")[0].action, fault::FaultAction::kDelay);
  std::string asked;
  for (int visit = 1; visit <= 4; ++visit)
    asked += LYNCEUS_FAULT_ASKED("step.gradient") ? 'x' : '-';
  EXPECT_EQ(asked, "-xx-");
}

TEST(Fault, FiresAtTheNthVisitOnly) {
  ASSERT_EQ(kEnvironment, 0);
  EXPECT_TRUE(fault::is_armed());
  EXPECT_FALSE(fault::reach("step.before_reduce"));
  EXPECT_THROW(fault::reach("step.before_reduce"), IoError);
  EXPECT_FALSE(fault::reach("step.before_reduce"));
  EXPECT_FALSE(fault::reach("checkpoint.begin"));
  EXPECT_FALSE(fault::reach("checkpoint.closed"));
  EXPECT_FALSE(fault::reach("watch.flip_bit"));
  EXPECT_TRUE(fault::reach("watch.flip_bit"));
  EXPECT_FALSE(fault::reach("watch.flip_bit"));
  try {
    fault::reach("checkpoint.write");
    FAIL() << "the point did not fire";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
}

TEST(Fault, PlansAreAddedToThoseOfTheVariable) {
  fault::arm(fault::parse_plans("prepare.shard:throw", "fault"));
  EXPECT_THROW(fault::reach("prepare.shard"), IoError);
  EXPECT_THROW(fault::reach("step.output"), IoError);
  const std::string armed = fault::describe_armed();
  EXPECT_NE(armed.find("step.gradient on every rank at visits 2 to 3: do; "), std::string::npos);
  EXPECT_NE(armed.find("; prepare.shard on every rank at visit 1: throw"), std::string::npos);
}

}  // namespace
}  // namespace lynceus
