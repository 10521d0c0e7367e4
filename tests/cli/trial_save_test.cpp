// The trial save before the first step: a folder that cannot hold checkpoints is found before any
// step is computed, with one message and exit code 4. When checkpoints are saved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class TrialSave : public testing::Test {
 protected:
  void expect_refused(const Output& output, const std::string& reason) const {
    EXPECT_EQ(output.code, 4) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, AllOf(HasSubstr("checkpoints: this folder cannot hold the checkpoints "
                                            "of the run: "),
                                  ContainsRegex(reason)));
    EXPECT_THAT(output.err, Not(HasSubstr("rank 0: rank 0: ")));
    EXPECT_THAT(output.err, Not(HasSubstr("next checkpoint")));
  }

  const Folder folder_{"trial"};
  const fs::path run_ = folder_ / "run";
};

class FailedTrial : public TrialSave, public testing::WithParamInterface<const char*> {};

TEST_P(FailedTrial, EndsTheRunBeforeItsFirstStep) {
  const Arguments arguments = train_arguments(run_) + grid(2, 1, 1);
  const Launch launch{.ranks = 2,
                      .environment = {fmt::format("LYNCEUS_FAULT={}=enospc", GetParam())}};
  expect_refused(run(arguments, launch), "rank [01]: .*No space left on device");
  EXPECT_FALSE(fs::exists(run_ / "metrics.jsonl"));
  EXPECT_TRUE(names_in(run_ / "checkpoints").empty());
  const Output again = run(arguments + Arguments{"--train.steps", "2"}, {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(names_in(run_ / "checkpoints"), testing::ElementsAre("latest", "step-00000002"));
}

INSTANTIATE_TEST_SUITE_P(Calls, FailedTrial,
                         testing::Values("checkpoint.begin@1", "checkpoint.created@1",
                                         "checkpoint.write@1", "checkpoint.before_flush@0",
                                         "checkpoint.closed@1", "checkpoint.before_rename@0",
                                         "checkpoint.after_rename@0"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

TEST_F(TrialSave, OneThatIsKilledLeavesNothing) {
  const Output killed =
      run(train_arguments(run_), {.environment = {"LYNCEUS_FAULT=checkpoint.after_rename=kill"}});
  EXPECT_EQ(killed.code, -1) << killed.all();
  EXPECT_EQ(names_in(run_ / "checkpoints").size(), 2u);
  const Output again = run(train_arguments(run_) + Arguments{"--train.steps", "2"});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, Not(HasSubstr("resumed")));
  EXPECT_THAT(names_in(run_ / "checkpoints"), testing::ElementsAre("latest", "step-00000002"));
}

TEST_F(TrialSave, ALimitOnTheSizeOfFilesCounts) {
  // Files of more than 100 KiB cannot be written.
  const Output output = run(train_arguments(run_), {.shell = "ulimit -f 200; exec \"$@\""});
  expect_refused(output, "no space for [0-9.]+ KiB: File too large");
  EXPECT_FALSE(fs::exists(run_ / "metrics.jsonl"));
}

TEST_F(TrialSave, TwoCheckpointsMustFit) {
  if (std::system("unshare -Urm true 2>/dev/null") != 0)
    GTEST_SKIP() << "no user namespaces here, so no small file system";
  fs::create_directories(folder_ / "mount");
  const auto shell = [&](const char* size) {
    return fmt::format(
        "exec unshare -Urm sh -c 'mount -t tmpfs -o size={1} tmpfs {0}/mount && \"$@\" && \"$@\" "
        "--train.steps 3 --allow-change train.steps' - \"$@\"",
        folder_.path().string(), size);
  };
  const Arguments arguments =
      train_arguments(folder_ / "mount/run") + Arguments{"--train.steps", "2"};
  expect_refused(run(arguments, {.shell = shell("400k")}),
                 "no space left for 2 checkpoints: [0-9.]+ KiB needed, [0-9.]+ KiB free");
  // A run that has a checkpoint needs room for one more.
  const Output output = run(arguments, {.shell = shell("600k")});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("resumed from step 2, "));
  EXPECT_THAT(output.err,
              ContainsRegex("KiB free, less than the [0-9.]+ KiB that 3 more checkpoints "
                            "of this run take"));
}

TEST_F(TrialSave, ARunWithNoStepToDoSavesNothing) {
  const Arguments arguments = train_arguments(run_) + Arguments{"--train.steps", "2"};
  ASSERT_EQ(run(arguments).code, 0);
  const Output output = run(arguments, {.environment = {"LYNCEUS_FAULT=checkpoint.begin=enospc"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("nothing to train"));
}

TEST_F(TrialSave, TheStartSaysWhatACheckpointTakesAndWhenTheNextIsDue) {
  const Arguments arguments = train_arguments(run_) + Arguments{"--train.steps", "8"};
  const Output output = run(arguments + Arguments{"--stop-after", "2"});
  EXPECT_THAT(output.err, AllOf(ContainsRegex("a checkpoint takes [0-9.]+ KiB; [0-9.]+ [GT]iB are "
                                              "free in .*run\n"),
                                HasSubstr("next checkpoint in 30 min or at step 2, the end of this "
                                          "run\n"),
                                Not(HasSubstr("more checkpoints of this run take"))));
  EXPECT_THAT(run(arguments + Arguments{"--checkpoint.every", "3"}).err,
              HasSubstr("next checkpoint in 30 min or at step 3\n"));
}

class SavesByTime : public testing::TestWithParam<int> {};

TEST_P(SavesByTime, DoNotChangeTheResult) {
  const Folder folder("by_time");
  const Launch launch{.ranks = GetParam()};
  const auto arguments = [&](const std::string& name, const char* minutes) {
    return train_arguments(folder / name) +
           Arguments{"--checkpoint.keep_last",   "99", "--checkpoint.every_minutes", minutes,
                     "--checkpoint.staging_mib", "0"};  // no save is left out while one runs
  };
  const Output straight = run(arguments("straight", "0"), launch);
  ASSERT_EQ(straight.code, 0) << straight.all();
  EXPECT_EQ(names_in(folder / "straight/checkpoints").size(), 2u) << "only the end, and a link";

  const Output part = run(arguments("often", "1e-9") + Arguments{"--stop-after", "9"}, launch);
  ASSERT_EQ(part.code, 0) << part.all();
  EXPECT_EQ(names_in(folder / "often/checkpoints").size(), 10u) << "every step";
  const Output rest = run(arguments("often", "30"), launch);
  ASSERT_EQ(rest.code, 0) << rest.all();
  EXPECT_EQ(names_in(folder / "often/checkpoints").size(), 11u) << "and the end";
  EXPECT_EQ(digests_of(folder / "often", 20), digests_of(folder / "straight", 20));
  EXPECT_EQ(metrics_of(folder / "often").steps, metrics_of(folder / "straight").steps);
}

INSTANTIATE_TEST_SUITE_P(Ranks, SavesByTime, testing::Values(0, 2),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace lynceus::cli_test
