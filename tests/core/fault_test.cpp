// Fault points: the syntax of LYNCEUS_FAULT, and that a point fires at the specified visit.
#include "core/fault.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"

namespace lynceus {
namespace {

// Before main(), because the library reads the variable while it loads.
const int kEnvironment =
    setenv("LYNCEUS_FAULT", "here#2=throw,there=enospc,other@7=kill,often#2-3=do", 1);

TEST(Fault, ParsesNameRankAndCount) {
  const auto plans = fault::parse_plans("checkpoint.before_rename@3#2=kill,x=hang,y=term,z=pause");
  ASSERT_EQ(plans.size(), 4u);
  EXPECT_EQ(plans[0].name, "checkpoint.before_rename");
  EXPECT_EQ(plans[0].rank, 3);
  EXPECT_EQ(plans[0].nth, 2);
  EXPECT_EQ(plans[0].action, fault::FaultAction::kKill);
  EXPECT_EQ(plans[1].rank, -1);
  EXPECT_EQ(plans[1].nth, 1);
  EXPECT_EQ(plans[1].action, fault::FaultAction::kHang);
  EXPECT_EQ(plans[2].action, fault::FaultAction::kTerminate);
  EXPECT_EQ(plans[3].action, fault::FaultAction::kPause);
}

TEST(Fault, RefusesWhatItDoesNotUnderstand) {
  for (const char* text :
       {"x", "=kill", "x=explode", "x@=kill", "x#0=kill", "x@1a=kill", "@1=kill"})
    EXPECT_THROW(fault::parse_plans(text), UsageError) << text;
}

TEST(Fault, AsksForTheActionOfThePlaceFromTheNthToTheLastVisit) {
  const auto plan = fault::parse_plans("x#3-7=slow")[0];
  EXPECT_EQ(plan.nth, 3);
  EXPECT_EQ(plan.last, 7);
  EXPECT_EQ(plan.action, fault::FaultAction::kSlow);
  EXPECT_EQ(fault::parse_plans("x=delay")[0].action, fault::FaultAction::kDelay);
  std::string asked;
  for (int visit = 1; visit <= 4; ++visit) asked += LYNCEUS_FAULT_ASKED("often") ? 'x' : '-';
  EXPECT_EQ(asked, "-xx-");
  EXPECT_THROW(fault::parse_plans("x#3-2=slow"), UsageError);
}

TEST(Fault, FiresAtTheNthVisitOnly) {
  ASSERT_EQ(kEnvironment, 0);
  EXPECT_NO_THROW(fault::reach("here"));
  EXPECT_THROW(fault::reach("here"), IoError);
  EXPECT_NO_THROW(fault::reach("here"));
  EXPECT_NO_THROW(fault::reach("other"));
  EXPECT_NO_THROW(fault::reach("unnamed"));
  try {
    fault::reach("there");
    FAIL() << "the point did not fire";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lynceus
