// Runs that are stopped or killed after a step that is not finite: the next start equals the
// uninterrupted run to the bit. And how many such steps a run takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nonfinite_lines.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NonfiniteResume : public testing::Test {
 protected:
  Output start(const std::string& name, const Arguments& more, int ranks = 0) {
    return run(train_arguments(folder_ / name) +
                   Arguments{"--train.steps", "8", "--checkpoint.every", "3",
                             "--checkpoint.keep_last", "20"} +
                   more,
               {.ranks = ranks});
  }
  void expect_equal(const std::string& one, const std::string& other) {
    EXPECT_EQ(digests_of(folder_ / one, 8), digests_of(folder_ / other, 8));
    EXPECT_EQ(metrics_of(folder_ / one).steps, metrics_of(folder_ / other).steps);
    EXPECT_EQ(io::read_manifest(checkpoint(folder_ / one, 8)).left_out,
              io::read_manifest(checkpoint(folder_ / other, 8)).left_out);
  }

  const Folder folder_{"nonfinite-resume"};
};

TEST_F(NonfiniteResume, AfterASkippedStep) {
  const Arguments skip = {"--train.nonfinite", "skip"};
  const Arguments with_fault = skip + Arguments{"--fault", "step.gradient#4:do"};
  ASSERT_EQ(start("straight", with_fault).code, 0);
  ASSERT_EQ(start("stopped", with_fault + Arguments{"--stop-after", "5"}).code, 0);
  ASSERT_EQ(start("stopped", skip).code, 0);
  expect_equal("stopped", "straight");
  EXPECT_EQ(io::read_manifest(checkpoint(folder_ / "stopped", 8)).left_out.size(), 1u);
}

TEST_F(NonfiniteResume, KilledRightAfterARollback) {
  const Arguments back = {"--train.nonfinite", "rollback"};
  ASSERT_EQ(start("straight", back + Arguments{"--fault", "step.gradient#5:do"}).code, 0);
  // The sixth step that is computed is step 4 again: the checkpoint of step 3 is the newest.
  EXPECT_EQ(
      start("killed", back + Arguments{"--fault", "step.gradient#5:do,step.before_reduce#6:kill"})
          .code,
      -1);
  EXPECT_FALSE(fs::exists(checkpoint(folder_ / "killed", 6)));
  const Output again = start("killed", back);
  ASSERT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 3, "));
  expect_equal("killed", "straight");
}

TEST_F(NonfiniteResume, GoesBackToTheStateBeforeTheFirstStep) {
  const Arguments back = {"--train.nonfinite", "rollback", "--log.samples"};
  const Output output = start("run", back + Arguments{"--fault", "step.gradient#2:do"}, 2);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("to the checkpoint of step 0"));
  EXPECT_EQ(indexes_of(folder_ / "run", 1), range(0, 8));
  EXPECT_EQ(indexes_of(folder_ / "run", 2), range(16, 24));
  ASSERT_EQ(start("once", back + Arguments{"--stop-after", "1"}, 2).code, 0);
  EXPECT_EQ(metrics_of(folder_ / "run").steps[0], metrics_of(folder_ / "once").steps[0]);
  // A run that starts over has its own step 0.
  ASSERT_EQ(start("once", back + Arguments{"--resume", "never", "--stop-after", "1"}, 2).code, 0);
}

TEST_F(NonfiniteResume, TwoRollbacksAtOneStep) {
  const Output output = start("run", {"--train.nonfinite", "rollback", "--log.samples", "--fault",
                                      "step.gradient#5:do,step.gradient#7:do"});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "run", 8)).left_out,
              ElementsAre(io::LeftOutStep{5, true, 32, 40}, io::LeftOutStep{5, true, 40, 48}));
  EXPECT_EQ(indexes_of(folder_ / "run", 5), range(48, 56));
}

TEST_F(NonfiniteResume, TheLimitEndsTheRun) {
  for (const std::string policy : {"skip", "rollback"}) {
    const Arguments twice = {"--train.nonfinite", policy, "--train.nonfinite_limit", "2"};
    const Output output =
        start(policy, twice + Arguments{"--fault", "step.gradient#2:do,step.gradient#4:do"}, 2);
    EXPECT_EQ(output.code, 5) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr("this is the step number 2 of this kind within 100 steps "
                                      "(train.nonfinite_limit)"));
    // The count is in the manifest: one more after a restart.
    const Output again = start(policy, twice + Arguments{"--fault", "step.gradient#1:do"}, 2);
    EXPECT_EQ(again.code, 5) << again.all();
    EXPECT_EQ(start(policy, {"--train.nonfinite", policy}, 2).code, 0) << "the policy may change";
  }
}

TEST_F(NonfiniteResume, AValueThatIsNaNIsNamed) {
  // A learning rate that makes a step overflow: the values themselves are lost.
  const Output output =
      start("run", {"--train.nonfinite", "skip", "--train.nonfinite_limit", "2", "--train.steps",
                    "50", "--optimizer.lr", "1e30", "--optimizer.warmup_start_lr", "1e30"});
  EXPECT_EQ(output.code, 5) << output.all();
  EXPECT_EQ(lines_of_kind(folder_ / "run", "nonfinite").size(), 2u) << output.all();
}

TEST_F(NonfiniteResume, HalfPrecisionAndTrainedBackbone) {
  const Output output = start(
      "run",
      Arguments{"--precision", "bf16", "--model.train", "llm, bridge, adapter", "--train.nonfinite",
                "skip", "--fault", "step.gradient@1#4:do,step.output@0#6:do"} +
          grid(1, 2, 1),
      2);
  ASSERT_EQ(output.code, 0) << output.all();
  const auto reports = lines_of_kind(folder_ / "run", "nonfinite");
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_THAT(reports[0], AllOf(HasSubstr("\"place\": \"backward\""), HasSubstr("\"ranks\": [1]")));
  EXPECT_THAT(reports[1], AllOf(HasSubstr("\"place\": \"forward\""), HasSubstr("\"ranks\": [0]")));
}

TEST_F(NonfiniteResume, AStepWithoutScoredTokensUsesNoNumber) {
  const Output output = start("run",
                              {"--data.max_tokens", "1", "--train.nonfinite", "skip", "--fault",
                               "step.gradient@1#2:do,step.output@1#3:do"},
                              2);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("step 2: no scored token"));
  EXPECT_THAT(lines_of_kind(folder_ / "run", "nonfinite"), IsEmpty());
  EXPECT_THAT(io::read_manifest(checkpoint(folder_ / "run", 8)).left_out, IsEmpty());
}

}  // namespace
}  // namespace lynceus::cli_test
