// Saves that go on beside the training and are killed, fail or hang: the checkpoint before stays,
// and a failure of the save is no failure of the training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "background_save.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

TEST(BackgroundSaveKilled, LeavesTheCheckpointBefore) {
  const Folder folder("killed");
  const fs::path path = folder / "run";
  Program program(saving_arguments(path, 100000, 40),
                  {.environment = {"LYNCEUS_FAULT=checkpoint.before_rename#3=delay"}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 79; }));
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 90; })) << "training goes on";
  EXPECT_FALSE(is_committed(path, 80));
  kill(program.ranks()[0], SIGKILL);
  program.wait();
  EXPECT_TRUE(is_committed(path, 40));
  EXPECT_FALSE(is_committed(path, 80));
  const Output again = run(saving_arguments(path, 100000, 40) + Arguments{"--stop-after", "81"});
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
      run(saving_arguments(path, 12, 3) + grid(1, 1, 2),
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
      run(saving_arguments(path, 1000, 3) + grid(1, 1, 2),
          {.ranks = 2, .environment = {"LYNCEUS_FAULT=checkpoint.begin@1#3-5=enospc"}});
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("no checkpoint of step 6: "), HasSubstr("no checkpoint of step 9: "),
                    ContainsRegex("lynceus: 3 saves failed in a row, the last one: .*No space")));
  EXPECT_TRUE(is_committed(path, 3));
  EXPECT_GE(steps_of(path), 12u);
}

TEST(HangingSave, IsNamedWhileTrainingGoesOn) {
  const Folder folder("hang");
  const fs::path path = folder / "run";
  Program program(saving_arguments(path, 100000, 10) + grid(1, 1, 2) +
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

}  // namespace
}  // namespace lynceus::cli_test
