// Checkpoints that are written while training goes on: the same bits as those for which training
// waits, and the same answers to kills, failures, requests to stop and hanging ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

/// The trial save before the first step is the first to reach a fault point. A delay takes 4 s, in
/// which many of the steps are done.
constexpr const char* kLongFirstSave = "LYNCEUS_FAULT=checkpoint.before_flush@0#2=delay";

Arguments arguments_of(const fs::path& run_directory, int steps, int every) {
  return train_arguments(run_directory) + Arguments{"--train.steps", std::to_string(steps),
                                                    "--checkpoint.every", std::to_string(every)};
}

size_t steps_of(const fs::path& run_directory) {
  return lines_of(run_directory / "metrics.jsonl").size();
}

bool is_committed(const fs::path& run_directory, int64_t step) {
  return fs::exists(checkpoint(run_directory, step) / io::kManifestName);
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

struct Layout {
  const char* name;
  int ranks;
  int tensor, data;
};

class BackgroundSave : public testing::TestWithParam<Layout> {
 protected:
  Launch launch(const std::string& fault = "") const {
    Launch launch{.ranks = GetParam().ranks == 1 ? 0 : GetParam().ranks};
    if (!fault.empty()) launch.environment = {fault};
    return launch;
  }
  Arguments arguments(const std::string& name, int steps, int every) const {
    return arguments_of(folder_ / name, steps, every) + grid(GetParam().tensor, 1, GetParam().data);
  }
  const Folder folder_{"background"};
};

TEST_P(BackgroundSave, HasTheBitsOfOneThatTrainingWaitsFor) {
  const Output waited =
      run(arguments("waited", 12, 5) + Arguments{"--checkpoint.staging_mib", "0"}, launch());
  ASSERT_EQ(waited.code, 0) << waited.all();
  EXPECT_THAT(waited.err, HasSubstr("training waits while a checkpoint is written: "
                                    "checkpoint.staging_mib is 0"));
  Program program(arguments("beside", 12, 5), launch("LYNCEUS_FAULT=checkpoint.before_flush#2-3="
                                                     "delay"));
  const fs::path beside = folder_ / "beside";
  // Training goes on while the checkpoint of step 5 is written: that of step 10 is due, and waits.
  ASSERT_TRUE(program.wait_until([&] { return steps_of(beside) >= 9; }));
  EXPECT_FALSE(is_committed(beside, 5));
  const Output output = program.wait();
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("checkpoints are written while training goes on, from a "
                                    "snapshot of at most "));
  for (const int64_t step : {10, 12})
    EXPECT_EQ(digests_of(beside, step), digests_of(folder_ / "waited", step)) << step;
  EXPECT_EQ(metrics_of(beside).steps, metrics_of(folder_ / "waited").steps);
  EXPECT_EQ(count(output.err, "was still being written when the next one was due"), 1);
}

INSTANTIATE_TEST_SUITE_P(Grids, BackgroundSave,
                         testing::Values(Layout{"one", 1, 1, 1}, Layout{"four", 4, 2, 2}),
                         [](const auto& instance) { return instance.param.name; });

TEST(BackgroundSaveKilled, LeavesTheCheckpointBefore) {
  const Folder folder("killed");
  const fs::path path = folder / "run";
  Program program(arguments_of(path, 100000, 40),
                  {.environment = {"LYNCEUS_FAULT=checkpoint.before_rename#3=delay"}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 79; }));
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 90; })) << "training goes on";
  EXPECT_FALSE(is_committed(path, 80));
  kill(program.ranks()[0], SIGKILL);
  program.wait();
  EXPECT_TRUE(is_committed(path, 40));
  EXPECT_FALSE(is_committed(path, 80));
  const Output again = run(arguments_of(path, 100000, 40) + Arguments{"--stop-after", "81"});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, AllOf(HasSubstr("resumed from step 40, "), Not(HasSubstr("is skipped"))));
  EXPECT_TRUE(is_committed(path, 80));
  for (const auto& entry : fs::directory_iterator(path / "checkpoints"))
    EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << "left: " << entry.path();
}

TEST(BackgroundSaveFails, IsAWarningAndTrainingGoesOn) {
  const Folder folder("failed");
  const fs::path path = folder / "run";
  const Output output =
      run(arguments_of(path, 12, 3) + grid(1, 1, 2),
          {.ranks = 2, .environment = {"LYNCEUS_FAULT=checkpoint.write@1#3=enospc"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, ContainsRegex("no checkpoint of step [36]: .*rank 1.*No space left"));
  EXPECT_EQ(steps_of(path), 12u);
  EXPECT_TRUE(is_committed(path, 12));
}

TEST(BackgroundSaveFails, ThreeInARowEndTheRun) {
  const Folder folder("failed");
  const fs::path path = folder / "run";
  const Output output =
      run(arguments_of(path, 1000, 3) + grid(1, 1, 2),
          {.ranks = 2, .environment = {"LYNCEUS_FAULT=checkpoint.begin@1#3-5=enospc"}});
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("no checkpoint of step 6: "), HasSubstr("no checkpoint of step 9: "),
                    ContainsRegex("lynceus: 3 saves failed in a row, the last one: .*No space")));
  EXPECT_TRUE(is_committed(path, 3));
  EXPECT_GE(steps_of(path), 12u);
}

TEST(BackgroundSaveStops, ARequestWaitsForTheSaveAndForOneOfTheStepsAfterIt) {
  const Folder folder("stopped");
  const fs::path path = folder / "run";
  Program program(arguments_of(path, 100000, 1000) + Arguments{"--checkpoint.every", "20"},
                  {.environment = {kLongFirstSave}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 25; }));
  EXPECT_FALSE(is_committed(path, 20));
  std::ofstream(path / "STOP") << "";
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  const auto last = static_cast<int64_t>(numbers_of(path, "step").back());
  EXPECT_TRUE(is_committed(path, 20)) << "the save that ran";
  EXPECT_TRUE(is_committed(path, last)) << "no step is lost";
  EXPECT_EQ(count(output.err, "checkpoint step-"), 2) << output.all();
}

TEST(BackgroundSaveStops, ASecondRequestChangesNothing) {
  const Folder folder("stopped");
  const fs::path path = folder / "run";
  Program program(arguments_of(path, 100000, 20), {.environment = {kLongFirstSave}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 25; }));
  for (const int signal : {SIGUSR1, SIGTERM, SIGUSR1}) {
    kill(program.ranks()[0], signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_TRUE(is_committed(path, static_cast<int64_t>(numbers_of(path, "step").back())));
  EXPECT_EQ(count(output.err, "checkpoint step-"), 2) << output.all();
}

TEST(BackgroundSaveIsLong, AndTheNextBeginsAfterIt) {
  const Folder folder("long");
  const fs::path path = folder / "run";
  Program program(train_arguments(path) +
                      Arguments{"--train.steps", "100000", "--checkpoint.every_minutes", "0.001"},
                  {.environment = {kLongFirstSave}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 40; }));
  EXPECT_FALSE(fs::exists(path / "checkpoints" / "latest")) << "the first is not committed yet";
  ASSERT_TRUE(program.wait_until([&] { return fs::exists(path / "checkpoints" / "latest"); }));
  kill(program.ranks()[0], SIGTERM);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_EQ(count(output.err,
                  "was still being written when the next one was due: the next one begins "
                  "when it has ended"),
            1)
      << output.all();
}

TEST(StagingMemory, ThatIsTooSmallIsSaid) {
  const Folder folder("staging");
  const fs::path path = folder / "run";
  const Output output =
      run(arguments_of(path, 6, 3) + grid(1, 1, 2) + Arguments{"--checkpoint.staging_mib", "0.001"},
          {.ranks = 2});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(
      output.err,
      ContainsRegex("training waits while a checkpoint is written: rank 0: a snapshot takes "
                    ".* on it, more than checkpoint.staging_mib = 0.001"));
  EXPECT_TRUE(is_committed(path, 3));
}

TEST(OneMpiThread, IsSaidAndTrainingWaits) {
  const Folder folder("thread");
  const fs::path path = folder / "run";
  const Output output = run(arguments_of(path, 6, 3) + grid(1, 1, 2),
                            {.ranks = 2, .environment = {"LYNCEUS_FAULT=mpi.one_thread=do"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(count(output.err,
                  "training waits while a checkpoint is written: rank 0: its MPI library "
                  "does not let two threads communicate (MPI_THREAD_MULTIPLE)"),
            1)
      << output.all();
  EXPECT_TRUE(is_committed(path, 6));
}

TEST(HangingSave, IsNamedWhileTrainingGoesOn) {
  const Folder folder("hang");
  const fs::path path = folder / "run";
  Program program(arguments_of(path, 100000, 10) + grid(1, 1, 2) +
                      Arguments{"--watchdog.checkpoint", "3", "--watchdog.slow_factor", "0"},
                  {.ranks = 2,
                   .environment = {"LYNCEUS_FAULT=checkpoint.before_close@1#2=hang",
                                   "OMPI_MCA_odls_base_sigkill_timeout=1"}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 19; }));
  const Output output = program.wait();
  EXPECT_EQ(output.code, 124) << output.all();
  EXPECT_THAT(output.err,
              ContainsRegex("watchdog: no progress for .* s in section checkpoint, step "
                            "1[01]: rank 1 .* hangs: checkpoint after step 10"));
}

TEST(LongSave, IsNoHangOfTheStep) {
  const Folder folder("no-hang");
  const fs::path path = folder / "run";
  // The save takes 12 s; a step may take 8 s, and takes some milliseconds on a quiet machine.
  Program program(
      arguments_of(path, 100000, 10) + grid(1, 1, 2) +
          Arguments{"--watchdog.checkpoint", "60", "--watchdog.step", "8", "--watchdog.data", "8",
                    "--watchdog.slow_factor", "0", "--checkpoint.every", "1000000",
                    "--checkpoint.every_minutes", "0.002"},
      {.ranks = 2,
       .environment = {"LYNCEUS_FAULT=checkpoint.before_flush@0#2=delay,"
                       "checkpoint.before_close@0#2=delay,checkpoint.closed@0#2=delay"}});
  ASSERT_TRUE(program.wait_until([&] { return fs::exists(path / "checkpoints" / "latest"); }));
  for (const pid_t rank : program.ranks()) kill(rank, SIGTERM);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, Not(HasSubstr("watchdog")));
}

}  // namespace
}  // namespace lynceus::cli_test
