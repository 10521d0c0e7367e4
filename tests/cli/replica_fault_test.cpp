// Replicas that differ in a bit, and ranks that are slow: both are named, and a clean run names
// none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(ReplicaDigest, NamesTheRankWithAFlippedBit) {
  const Folder folder("replica-bit");
  const Arguments arguments = train_arguments(folder / "run") + grid(1, 1, 3) +
                              Arguments{"--train.steps",
                                        "12",
                                        "--checkpoint.every",
                                        "4",
                                        "--train.digest_every",
                                        "2",
                                        "--checkpoint.staging_mib",
                                        "0",
                                        "--ranks",
                                        "3"};
  // The visits of steps 1 to 4, of the checkpoint of step 4, of steps 5 and 6.
  const Output output = run(arguments, {.environment = {"LYNCEUS_FAULT=watch.flip_bit@1#7=do"}});
  EXPECT_EQ(output.code, 5) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("step 6: trained parameters differ between ranks"));
  EXPECT_THAT(output.err, ContainsRegex("bits: [A-Za-z_.0-9]+ on rank 1 [(]rank 1: "));
  EXPECT_THAT(output.err, HasSubstr("continue from the checkpoint of step 4"));
  EXPECT_FALSE(fs::exists(checkpoint(folder / "run", 6)));
  const Output again = run(arguments);
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 4, "));
}

TEST(ReplicaDigest, ComparesTensorRanksBeforeACheckpoint) {
  const Folder folder("replica-tensor");
  const Output output =
      run(train_arguments(folder / "run") + grid(2, 2, 1) +
              Arguments{"--train.steps", "4", "--checkpoint.every", "2", "--ranks", "4"},
          {.environment = {"LYNCEUS_FAULT=watch.flip_bit@3#3=do"}});
  EXPECT_EQ(output.code, 5) << output.all();
  EXPECT_THAT(output.err, HasSubstr("on rank 3 (rank 3: "));
  EXPECT_THAT(output.err, HasSubstr("continue from the beginning"));
  EXPECT_FALSE(fs::exists(checkpoint(folder / "run", 2)));
}

TEST(ReplicaDigest, NamesWhatTheSaveThatRunsLeaves) {
  // Found after step 6, while step 4 is saved; the trial save is the first to reach the points.
  const std::string fault = "LYNCEUS_FAULT=watch.flip_bit@1#7=do,checkpoint.before_flush@0#2=delay";
  const Folder folder("replica-saving");
  const auto arguments = [&](const char* name) {
    return train_arguments(folder / name) + grid(1, 1, 2) +
           Arguments{"--train.steps", "12", "--checkpoint.every", "4", "--train.digest_every", "2",
                     "--ranks",       "2"};
  };
  Program saved(arguments("saved"), {.environment = {fault}});
  Program failed(arguments("failed"),
                 {.environment = {fault + ",checkpoint.before_rename@0#2=enospc"}});
  const Output after_save = saved.wait(), after_failure = failed.wait();
  for (const Output& output : {after_save, after_failure}) {
    EXPECT_EQ(output.code, 5) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr("step 6: trained parameters differ between ranks"));
  }
  EXPECT_THAT(after_save.err, HasSubstr("continue from the checkpoint of step 4"));
  EXPECT_TRUE(fs::exists(checkpoint(folder / "saved", 4)));
  EXPECT_THAT(after_failure.err, HasSubstr("no checkpoint of step 4: "));
  EXPECT_THAT(after_failure.err, HasSubstr("continue from the beginning"));
  EXPECT_FALSE(fs::exists(checkpoint(folder / "failed", 4)));
}

class CleanReplicas : public testing::TestWithParam<std::array<int, 3>> {};

TEST_P(CleanReplicas, AreEqual) {
  const auto [tensor, pipeline, data] = GetParam();
  const Folder folder("replica-clean");
  const Output output =
      run(train_arguments(folder / "run") + grid(tensor, pipeline, data) +
          Arguments{"--train.steps", "8", "--train.digest_every", "1", "--checkpoint.every", "4",
                    "--model.train", "bridge,adapter,llm", "--ranks",
                    std::to_string(tensor * pipeline * data)});
  EXPECT_EQ(output.code, 0) << output.all();
}

INSTANTIATE_TEST_SUITE_P(Grids, CleanReplicas,
                         testing::Values(std::array{2, 1, 2}, std::array{1, 2, 2},
                                         std::array{2, 2, 1}));

TEST(Straggler, IsNamedWithinFiftySteps) {
  const Folder folder("straggler");
  const Arguments arguments =
      train_arguments(folder / "run") + grid(1, 1, 3) +
      Arguments{"--train.steps", "90", "--ranks", "3", "--train.global_batch_size", "3"};
  const Output output =
      run(arguments, {.environment = {"LYNCEUS_FAULT=step.before_reduce@1#5-45=slow"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, ContainsRegex("rank 1 [(].*[)] is slow: section step takes .* in steps "
                                        "[0-9]+ to [345]0"));
  EXPECT_THAT(output.err, ContainsRegex("rank 1 [(].*[)] is no longer slow after step "));
  for (const char* other : {"rank 0 (", "rank 2 ("}) EXPECT_THAT(output.err, Not(HasSubstr(other)));
}

TEST(Straggler, IsNobodyInACleanRun) {
  const Folder folder("straggler-clean");
  const Output output =
      run(train_arguments(folder / "run") + grid(1, 1, 2) +
          Arguments{"--train.steps", "100", "--ranks", "2", "--train.global_batch_size", "4"});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, Not(HasSubstr("is slow")));
}

}  // namespace
}  // namespace lynceus::cli_test
