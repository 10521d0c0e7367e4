// Requests to stop while a checkpoint is written beside the training, and saves that take long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "background_save.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A run whose save of step 20 takes 4 s.
struct LongSave {
  explicit LongSave(const std::string& name)
      : folder(name),
        run(folder / "run"),
        program(saving_arguments(run, 100000, 20),
                {.environment = {"LYNCEUS_FAULT=checkpoint.before_flush#2=delay"}}) {}

  /// Waits until training goes on beside the save.
  void begin() {
    ASSERT_TRUE(program.wait_until([&] { return steps_of(run) >= 25; }));
    EXPECT_FALSE(is_committed(run, 20));
  }
  void expect_stop() {
    const Output output = program.wait();
    EXPECT_EQ(output.code, 75) << output.all();
    const auto last = static_cast<int64_t>(numbers_of(run, "step").back());
    EXPECT_TRUE(is_committed(run, 20)) << "the save that ran";
    EXPECT_TRUE(is_committed(run, last)) << "no step is lost";
    EXPECT_EQ(count(output.err, "checkpoint step-"), 2) << output.all();
  }

  const Folder folder;
  const fs::path run;
  Program program;
};

TEST(BackgroundSaveStops, RequestsWaitForTheSaveAndForOneOfTheStepsAfterIt) {
  // Both at once: they wait most of the time.
  LongSave by_file("stopped-by-file"), by_signals("stopped-by-signals");
  by_file.begin();
  std::ofstream(by_file.run / "STOP") << "";
  by_signals.begin();
  for (const int signal : {SIGUSR1, SIGTERM, SIGUSR1}) {
    kill(by_signals.program.ranks()[0], signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  by_file.expect_stop();
  by_signals.expect_stop();
}

TEST(BackgroundSaveIsLong, ItIsNoHangOfTheStepAndTheNextBeginsAfterIt) {
  const Folder folder("long");
  const fs::path path = folder / "run";
  // The save takes 8 s; a step may take 6 s, and takes some milliseconds on a quiet machine.
  Program program(
      saving_arguments(path, 100000, 1000000) + grid(1, 1, 2) +
          Arguments{"--watchdog.checkpoint", "60", "--watchdog.step", "6", "--watchdog.data", "6",
                    "--watchdog.slow_factor", "0", "--checkpoint.every_minutes", "0.002"},
      {.ranks = 2,
       .environment = {"LYNCEUS_FAULT=checkpoint.before_flush@0#2=delay,"
                       "checkpoint.closed@0#2=delay"}});
  ASSERT_TRUE(program.wait_until([&] { return steps_of(path) >= 40; }));
  EXPECT_FALSE(fs::exists(path / "checkpoints" / "latest")) << "the first is not committed yet";
  ASSERT_TRUE(program.wait_until([&] { return fs::exists(path / "checkpoints" / "latest"); }));
  for (const pid_t rank : program.ranks()) kill(rank, SIGTERM);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, Not(HasSubstr("watchdog")));
  EXPECT_EQ(count(output.err,
                  "was still being written when the next one was due: the next one begins "
                  "when it has ended"),
            1)
      << output.all();
}

}  // namespace
}  // namespace lynceus::cli_test
