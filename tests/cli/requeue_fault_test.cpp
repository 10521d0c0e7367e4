// sbatch repeats the command line of a job at each start of it. What is meant for the first start
// must not be followed again: the later ones continue from the newest checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Requeue : public testing::Test {
 protected:
  Output start(const std::string& job, int restart, const std::string& fault,
               const Arguments& more = {}) {
    Arguments environment = {"SLURM_JOB_ID=" + job,
                             "SLURM_RESTART_COUNT=" + std::to_string(restart)};
    if (!fault.empty()) environment.push_back("LYNCEUS_FAULT=" + fault);
    return run(arguments_ + more, {.ranks = 2, .environment = environment});
  }

  const Folder folder_{"requeue"};
  const fs::path run_ = folder_ / "run";
  const Arguments arguments_ =
      train_arguments(run_) +
      Arguments{"--train.steps", "9", "--checkpoint.every", "4", "--checkpoint.staging_mib", "0"};
};

TEST_F(Requeue, ResumeIsFollowedOnce) {
  ASSERT_EQ(start("41", 0, "").code, 0) << "an earlier job has checkpoints 8 and 9";
  const Arguments never = {"--resume", "never"};
  EXPECT_NE(start("42", 0, "checkpoint.begin@0#1=kill", never).code, 0) << "the trial save";
  const Output second = start("42", 1, "step.before_reduce@1#6=kill", never);
  EXPECT_THAT(second.err, Not(HasSubstr("resumed from"))) << "no start has had its state";
  EXPECT_TRUE(fs::exists(checkpoint(run_, 4)));
  const Output third = start("42", 2, "", never);
  EXPECT_EQ(third.code, 0) << third.all();
  EXPECT_THAT(third.err, HasSubstr("resumed from step 4"));
  EXPECT_THAT(third.err, HasSubstr("an earlier one has followed --resume"));
  EXPECT_FALSE(fs::exists(run_ / "checkpoints" / "superseded-step-00000004"));

  const Output other = start("43", 0, "", {"--resume", "8"});
  EXPECT_THAT(other.err, HasSubstr("resumed from step 8")) << "another job follows its own";
}

TEST_F(Requeue, RestartAnywayIsFollowedOnce) {
  for (int i = 0; i < 3; ++i) EXPECT_NE(start("41", i, "step.before_reduce@1#2=kill").code, 93);
  EXPECT_EQ(start("41", 3, "").code, 93);
  const Arguments anyway = {"--restart-anyway"};
  for (int i = 0; i < 3; ++i)
    EXPECT_NE(start("42", i, "step.before_reduce@1#2=kill", anyway).code, 93) << i;
  const Output refused = start("42", 3, "", anyway);
  EXPECT_EQ(refused.code, 93) << refused.all();
  EXPECT_EQ(start("43", 0, "", anyway).code, 0) << "the next job";
}

}  // namespace
}  // namespace lynceus::cli_test
