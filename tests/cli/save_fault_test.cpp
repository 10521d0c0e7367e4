// Checkpoint writes that are killed, fail or run out of space: committed checkpoints stay, training
// continues, and after the next start the result is bit-equal to that of the undisturbed run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// Twelve steps with a checkpoint every third on two ranks.
Arguments arguments_of(const fs::path& run_directory) {
  return train_arguments(run_directory) + grid(2, 1, 1) +
         Arguments{"--train.steps", "12", "--checkpoint.every", "3"};
}

/// The undisturbed run.
const fs::path& straight_run() {
  static const Folder folder("straight");
  static const fs::path path = [] {
    const Output output = run(arguments_of(folder / "run"), {.ranks = 2});
    EXPECT_EQ(output.code, 0) << output.all();
    return folder / "run";
  }();
  return path;
}

void expect_like_straight(const fs::path& run_directory) {
  EXPECT_EQ(digests_of(run_directory, 12), digests_of(straight_run(), 12));
  EXPECT_EQ(metrics_of(run_directory).steps, metrics_of(straight_run()).steps);
  for (const auto& entry : fs::directory_iterator(run_directory / "checkpoints"))
    EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << "left: " << entry.path();
}

struct Kill {
  const char* point;  // the trial save before the first step is the first to reach it
  int resumes_from;
};

void PrintTo(const Kill& kill, std::ostream* out) { *out << kill.point; }

class KilledSave : public testing::TestWithParam<Kill> {};

TEST_P(KilledSave, TheNextStartEndsLikeTheUndisturbedRun) {
  const Folder folder("killed");
  const auto begin = std::chrono::steady_clock::now();
  const Output killed =
      run(arguments_of(folder / "run"),
          {.ranks = 2,
           .environment = {fmt::format("LYNCEUS_FAULT={}=kill", GetParam().point),
                           "OMPI_MCA_odls_base_sigkill_timeout=1"}});  // as users have it
  EXPECT_NE(killed.code, 0) << "the fault point was not reached\n" << killed.all();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  const Output again = run(arguments_of(folder / "run"), {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr(fmt::format("resumed from step {}, ", GetParam().resumes_from)));
  EXPECT_THAT(again.err, Not(HasSubstr("is skipped")));
  expect_like_straight(folder / "run");
}

INSTANTIATE_TEST_SUITE_P(
    EveryPhase, KilledSave,
    testing::Values(Kill{"checkpoint.snapshot@1#2", 3}, Kill{"checkpoint.begin@1#3", 3},
                    Kill{"checkpoint.staged@0#4", 6}, Kill{"checkpoint.created@1#3", 3},
                    Kill{"checkpoint.before_close@1#4", 6},
                    Kill{"checkpoint.before_manifest@0#3", 3},
                    Kill{"checkpoint.before_rename@0#4", 6}, Kill{"checkpoint.after_rename@0#3", 6},
                    Kill{"checkpoint.removing@0#1", 9}),
    [](const auto& instance) {
      std::string name = instance.param.point;
      std::replace_if(
          name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

TEST(FailedSave, IsAWarningAndTheNextOneIsGood) {
  const Folder folder("failed");
  const Output output =
      run(arguments_of(folder / "run"),
          {.ranks = 2, .environment = {"LYNCEUS_FAULT=checkpoint.before_flush@1#3=enospc"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, ContainsRegex("no checkpoint of step 6: .*rank 1.*No space left"));
  EXPECT_FALSE(fs::exists(checkpoint(folder / "run", 6)));
  EXPECT_TRUE(fs::exists(checkpoint(folder / "run", 9)));
  expect_like_straight(folder / "run");
}

TEST(FailedSave, ThreeInARowEndTheRun) {
  const Folder folder("failed");
  Launch launch{.ranks = 2};
  launch.environment = {
      "LYNCEUS_FAULT=checkpoint.begin@0#3=enospc,checkpoint.begin@0#4=enospc,"
      "checkpoint.begin@0#5=enospc"};
  const Output output = run(arguments_of(folder / "run") +
                                Arguments{"--train.steps", "20", "--checkpoint.staging_mib", "0"},
                            launch);
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err,
              ContainsRegex("lynceus: 3 saves failed in a row, the last one: .*No space"));
  EXPECT_EQ(numbers_of(folder / "run", "step").back(), 12);
  EXPECT_TRUE(fs::exists(checkpoint(folder / "run", 3) / io::kManifestName));
}

TEST(FailedSave, TheLastOneIsExitCodeFour) {
  const Folder folder("failed");
  const Output output =
      run(arguments_of(folder / "run") + Arguments{"--checkpoint.patience", "1.5"},
          {.ranks = 2, .environment = {"LYNCEUS_FAULT=checkpoint.created@1#5-9=throw"}});
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("step 12 could not be saved (2 attempts): the checkpoint of "
                                    "step 9 remains, the 3 steps after it are lost"));
  const Output again = run(arguments_of(folder / "run"), {.ranks = 2});
  EXPECT_THAT(again.err, HasSubstr("resumed from step 9, "));
  expect_like_straight(folder / "run");
}

/// Asked to stop in its third step, before it has a checkpoint; its saves after the trial save
/// fail.
Output stop_with_failing_saves(const fs::path& run_directory, const std::string& visits,
                               const std::string& patience) {
  return run(train_arguments(run_directory) +
                 Arguments{"--train.steps", "100000", "--checkpoint.patience", patience},
             {.ranks = 2,
              .environment = {"SLURM_JOB_ID=42",
                              "LYNCEUS_FAULT=step.before_reduce@0#3=term,checkpoint.begin@0#" +
                                  visits + "=enospc"}});
}

TEST(FailedSave, AStopTriesAgain) {
  const Folder folder("failed");
  const Output output = stop_with_failing_saves(folder / "run", "2-3", "60");
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, AllOf(ContainsRegex("no checkpoint of step 3: .*No space"),
                                HasSubstr("step 3 is saved again in 1 s"),
                                HasSubstr("step 3 is saved again in 2 s"),
                                HasSubstr("stopped on request after step 3")));
  EXPECT_TRUE(fs::exists(checkpoint(folder / "run", 3) / io::kManifestName));
}

TEST(FailedSave, AStopThatCannotSaveMayBeStartedAgainAndSaysWhatIsLost) {
  const Folder folder("failed");
  const Output output = stop_with_failing_saves(folder / "run", "2-99", "1.5");
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, HasSubstr("step 3 could not be saved (2 attempts): there is no "
                                    "checkpoint: all 3 steps are lost; the last failure: "));
  EXPECT_THAT(output.err, Not(HasSubstr("intact")));
  EXPECT_THAT(lines_of(folder / "run" / "incarnations.jsonl").back(),
              HasSubstr("\"by_request\":false"))
      << "the brake counts it";
}

TEST(FullDisk, TrainingGoesOnAndTheLastSaveIsExitCodeFour) {
  if (std::system("unshare -Urm true 2>/dev/null") != 0)
    GTEST_SKIP() << "no user namespaces here, so no small file system";
  const Folder folder("full-disk");
  fs::create_directories(folder / "mount");
  // Space for two checkpoints, not for a third. The result is copied out, because the file system
  // ends with the run.
  const std::string shell = fmt::format(
      "exec unshare -Urm sh -c 'mount -t tmpfs -o size=600k tmpfs {0}/mount && \"$@\"; code=$?; "
      "cp -a {0}/mount/run {0}/run; exit $code' - \"$@\"",
      folder.path().string());
  const Output output =
      run(arguments_of(folder / "mount/run") + Arguments{"--checkpoint.patience", "1"},
          {.ranks = 2, .shell = shell});
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_THAT(output.err, AllOf(HasSubstr("no checkpoint of step 9: "), HasSubstr("space"),
                                HasSubstr("step 12 could not be saved")));
  EXPECT_EQ(numbers_of(folder / "run", "step").size(), 12u);
  // With space again.
  const Output again = run(arguments_of(folder / "run"), {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 6, "));
  expect_like_straight(folder / "run");
}

TEST(FullDisk, WritesThatFailLeaveNothingHalf) {
  const Folder folder("full-disk");
  const Arguments arguments =
      train_arguments(folder / "run") +
      Arguments{"--train.steps", "12", "--checkpoint.every", "6", "--checkpoint.patience", "1"};
  Program program(arguments, {.environment = {"LYNCEUS_FAULT=checkpoint.begin#3=pause"}});
  const pid_t process = program.ranks()[0];
  ASSERT_TRUE(program.wait_until([&] { return is_stopped(process); }));
  // From the second save on, writes beyond 100 KiB fail. The metrics stay smaller.
  const rlimit limit{100 << 10, 100 << 10};
  ASSERT_EQ(prlimit(process, RLIMIT_FSIZE, &limit, nullptr), 0);
  kill(process, SIGCONT);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("no checkpoint of step 12: "), HasSubstr("File too large"),
                    HasSubstr("step 12 could not be saved")));
  EXPECT_TRUE(fs::exists(checkpoint(folder / "run", 6)));
  EXPECT_FALSE(fs::exists(checkpoint(folder / "run", 12)));
  EXPECT_THAT(run(arguments).err, HasSubstr("resumed from step 6, "));
  EXPECT_EQ(metrics_of(folder / "run").steps.size(), 12u);
}

TEST(FullDisk, MetricsWaitUntilTheyCanBeWritten) {
  const Folder folder("full-disk");
  Program program(train_arguments(folder / "run") + Arguments{"--train.steps", "1000000"});
  const fs::path metrics = folder / "run" / "metrics.jsonl";
  // By then it is larger than all logs, which a limit on the size of files spares.
  ASSERT_TRUE(program.wait_until([&] { return lines_of(metrics).size() >= 150; }));
  const auto allow = [&](rlim_t bytes) {
    const rlimit limit = {bytes, RLIM_INFINITY};
    ASSERT_EQ(prlimit(program.ranks()[0], RLIMIT_FSIZE, &limit, nullptr), 0);
  };
  allow(fs::file_size(metrics));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  allow(RLIM_INFINITY);
  const size_t before = lines_of(metrics).size();
  ASSERT_TRUE(program.wait_until([&] { return lines_of(metrics).size() > before; }));
  kill(program.ranks()[0], SIGTERM);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err,
              HasSubstr("metrics.jsonl: cannot be written, its lines are kept and written later"));
  const auto steps = numbers_of(folder / "run", "step");
  for (size_t i = 0; i < steps.size(); ++i) ASSERT_EQ(steps[i], static_cast<double>(i + 1));
}

class Damage : public testing::Test {
 protected:
  static void flip(const fs::path& file) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(fs::file_size(file) / 2);
    const int byte = bytes.seekg(middle).get();
    bytes.seekp(middle).put(static_cast<char>(byte ^ 1));
  }
  const Folder folder_{"damage"};
  const fs::path run_ = folder_ / "run";
};

TEST_F(Damage, TheNewestCheckpointIsPassedOverWithAWarning) {
  fs::copy(straight_run(), run_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  flip(checkpoint(run_, 12) / io::kStateFileName);
  const Output again = run(arguments_of(run_), {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, AllOf(HasSubstr("step-00000012"), HasSubstr("resumed from step 9, ")));
  expect_like_straight(run_);
  EXPECT_TRUE(fs::exists(run_ / "checkpoints" / "superseded-step-00000012"));
}

TEST_F(Damage, WithoutAWholeOneTheRunDoesNotStartOver) {
  fs::copy(straight_run(), run_, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  flip(checkpoint(run_, 12) / io::kStateFileName);
  flip(checkpoint(run_, 9) / io::kManifestName);
  const auto metrics = lines_of(run_ / "metrics.jsonl");
  const Output refused = run(arguments_of(run_), {.ranks = 2});
  EXPECT_EQ(refused.code, 3) << refused.all();
  EXPECT_EQ(refused.messages(), 1) << refused.all();
  EXPECT_THAT(refused.err, AllOf(HasSubstr("step-00000012"), HasSubstr("step-00000009")));
  EXPECT_EQ(lines_of(run_ / "metrics.jsonl"), metrics);
}

}  // namespace
}  // namespace lynceus::cli_test
