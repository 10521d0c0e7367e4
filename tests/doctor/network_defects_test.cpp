// Defects of the network: each is found by its check, with its remedy.
#include "doctor_run.h"

namespace lynceus::doctor_test {
namespace {

/// On four ranks. There may be fewer cores, which is a finding of its own.
Outcome on_four(const Arguments& variables) {
  Outcome outcome = examine({"--parallel.tensor", "2"}, {.ranks = 4, .environment = variables});
  std::erase_if(outcome.results,
                [](const CheckResult& result) { return result.group() == "placement"; });
  return outcome;
}

TEST(NetworkDefects, AGoodNetworkIsOk) {
  const Outcome outcome = on_four({});
  EXPECT_TRUE(outcome.faults().empty()) << outcome.output.all();
  for (const char* check : {"network.world", "network.tensor", "network.data", "network.replica"})
    EXPECT_THAT(outcome.find(check).measured, HasSubstr("1.0 MiB ")) << check;
  EXPECT_THAT(outcome.find("network.links").measured, HasSubstr("6 pairs within a node"));
}

TEST(NetworkDefects, ASlowRank) {
  expect_only(on_four(defect("slow-rank", 3)), "network.links", Verdict::kWarning,
              "rank 3 is slow to all others", "--exclude");
}

TEST(NetworkDefects, ASlowPair) {
  expect_only(on_four(defect("slow-link")), "network.links", Verdict::kWarning,
              "between rank 1 and rank 2", "--exclude");
}

TEST(NetworkDefects, ARankThatSendsWrongData) {
  const Outcome outcome = on_four(defect("corrupt", 2));
  const CheckResult links = outcome.find("network.links");
  EXPECT_EQ(links.verdict, Verdict::kCritical) << outcome.output.all();
  EXPECT_THAT(links.measured, HasSubstr("wrong data from rank 2 to rank "));
  EXPECT_THAT(links.remedy, HasSubstr("leave the node of one of the two ranks out"));
  const CheckResult exchange = outcome.find("network.replica");
  EXPECT_EQ(exchange.verdict, Verdict::kCritical);
  EXPECT_THAT(exchange.remedy, HasSubstr("do not train on these nodes"));
}

}  // namespace
}  // namespace lynceus::doctor_test
