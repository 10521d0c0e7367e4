// A run that dies at the same step in every start is refused after exactly three of them; one that
// makes progress is not. A rank that fails again and again has its node excluded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/files/json.h"
#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

class CrashLoop : public testing::Test {
 protected:
  Output start(const std::string& fault, const Arguments& more = {}, int ranks = 2) {
    Arguments environment = {"SLURM_JOB_ID=42", "SLURMD_NODENAME=bad7"};
    if (!fault.empty()) environment.push_back("LYNCEUS_FAULT=" + fault);
    return run(arguments_ + more, {.ranks = ranks, .environment = environment});
  }
  size_t begun() const {
    size_t count = 0;
    for (const std::string& line : lines_of(run_ / "incarnations.jsonl"))
      count += line.find("\"begin\",") != std::string::npos ? 1 : 0;
    return count;
  }

  const Folder folder_{"crash-loop"};
  const fs::path run_ = folder_ / "run";
  // Each save is committed before the step after it.
  const Arguments arguments_ =
      train_arguments(run_) +
      Arguments{"--train.steps", "9", "--checkpoint.every", "4", "--checkpoint.staging_mib", "0"};
};

TEST_F(CrashLoop, EndsAfterThreeStartsWithoutANewerCheckpoint) {
  EXPECT_NE(start("step.before_reduce@1#6=kill").code, 0) << "commits step 4, dies in step 6";
  for (int i = 0; i < 3; ++i) EXPECT_NE(start("step.before_reduce@1#2=kill").code, 93) << i;
  EXPECT_EQ(begun(), 4u);
  const Output refused = start("");
  EXPECT_EQ(refused.code, 93) << refused.all();
  EXPECT_EQ(refused.messages(), 1) << refused.all();
  EXPECT_THAT(refused.err, HasSubstr("without a newer checkpoint than step 4"));
  EXPECT_THAT(refused.err, HasSubstr("1. began "));
  EXPECT_THAT(refused.err, HasSubstr("3. began "));
  EXPECT_THAT(refused.err, HasSubstr("killed or lost after step 5"));
  EXPECT_THAT(io::read_text(run_ / "log" / "train.log"),
              HasSubstr("crash loop: the last 3 starts"));
  EXPECT_EQ(begun(), 4u) << "it did nothing";
  EXPECT_EQ(start("").code, 93) << "and does not become tired";
  const Output status = run({"status", run_.string()});
  EXPECT_THAT(status.out, HasSubstr("crash loop"));

  const Output forced = start("", {"--restart-anyway"});
  EXPECT_EQ(forced.code, 0) << forced.all();
  EXPECT_THAT(run({"status", run_.string()}).out, HasSubstr("finished"));
}

TEST_F(CrashLoop, ProgressRestartsWithoutLimit) {
  for (int i = 0; i < 5; ++i) {
    const Output output = start("step.before_reduce@0#2=kill", {"--checkpoint.every", "1"});
    EXPECT_NE(output.code, 93) << output.all();
  }
  EXPECT_EQ(start("").code, 0);
}

TEST_F(CrashLoop, ARankThatFailsTwiceHasItsNodeExcluded) {
  EXPECT_NE(start("step.before_reduce@1#2=throw").code, 0);
  EXPECT_FALSE(fs::exists(run_ / "excluded_nodes"));
  EXPECT_NE(start("step.before_reduce@1#2=throw").code, 0);
  EXPECT_EQ(io::read_text(run_ / "excluded_nodes"), "bad7\n") << "before the job is resubmitted";
  const Output next = start("");
  EXPECT_EQ(next.code, 0) << next.all();
  EXPECT_THAT(next.err, HasSubstr("bad7 failed this run 2 times"));
  EXPECT_THAT(io::read_text(run_ / "incarnations.jsonl"),
              HasSubstr("fault point 'step.before_reduce'"));
}

}  // namespace
}  // namespace lynceus::cli_test
