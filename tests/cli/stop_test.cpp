// A request to stop ends in a committed checkpoint of the same step on all ranks and exit code 75.
// The next start continues with the step after it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

class Stop : public testing::Test {
 protected:
  /// Starts an endless run, calls `ask` after two steps to stop it, and continues it.
  void expect_stop_and_go(const std::function<void(const Program&)>& ask, int ranks,
                          const Arguments& more = {}) {
    const Arguments arguments =
        train_arguments(run_) + Arguments{"--train.steps", "1000000"} + more;
    Program program(arguments, {.ranks = ranks});
    ASSERT_TRUE(program.wait_until([&] { return metrics_of(run_).steps.size() >= 2; }))
        << program.wait().all();
    ask(program);
    const Output output = program.wait();
    EXPECT_EQ(output.code, 75) << output.all();
    const auto steps = numbers_of(run_, "step");
    ASSERT_GE(steps.size(), 2u);
    const auto last = static_cast<int64_t>(steps.back());
    EXPECT_THAT(output.err, HasSubstr(fmt::format("stopped on request after step {}", last)));
    EXPECT_EQ(io::read_manifest(checkpoint(run_, last)).samples_seen, 8 * last);

    const Output again =
        run(arguments + Arguments{"--stop-after", std::to_string(last + 2)}, {.ranks = ranks});
    EXPECT_EQ(again.code, 0) << again.all();
    EXPECT_THAT(again.err, HasSubstr(fmt::format("resumed from step {}", last)));
    const auto all = numbers_of(run_, "step");
    EXPECT_EQ(all.size(), static_cast<size_t>(last + 2));
    for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], static_cast<double>(i + 1));
  }

  const Folder folder_{"stop"};
  const fs::path run_ = folder_ / "run";
};

TEST_F(Stop, User1ToOneOfTwoRanks) {
  expect_stop_and_go([](const Program& program) { kill(program.ranks().back(), SIGUSR1); }, 2);
}

TEST_F(Stop, HangUpOfItsTerminal) {
  expect_stop_and_go([](const Program& program) { kill(program.ranks()[0], SIGHUP); }, 0);
}

TEST_F(Stop, HangUpIsIgnoredUnderNohup) {
  Program program(train_arguments(run_) + Arguments{"--train.steps", "40"},
                  {.shell = "trap '' HUP; exec \"$@\""});
  ASSERT_TRUE(program.wait_until([&] { return metrics_of(run_).steps.size() >= 2; }))
      << program.wait().all();
  kill(program.pid(), SIGHUP);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(metrics_of(run_).steps.size(), 40u);
}

TEST_F(Stop, TerminateTwiceToAllRanks) {
  expect_stop_and_go(
      [](const Program& program) {
        for (int i = 0; i < 2; ++i)
          for (const pid_t rank : program.ranks()) kill(rank, SIGTERM);
      },
      2);
}

TEST_F(Stop, InterruptDuringSaves) {
  // Every step writes a checkpoint, so the signal most likely comes while one is written.
  expect_stop_and_go([](const Program& program) { kill(program.ranks()[0], SIGINT); }, 0,
                     {"--checkpoint.every", "1"});
}

TEST_F(Stop, TwiceDuringASaveThatIsThenTheLast) {
  const Arguments arguments =
      train_arguments(run_) + Arguments{"--checkpoint.every", "3", "--checkpoint.staging_mib", "0"};
  const Output output = run(arguments, {.ranks = 2,
                                        .environment = {"LYNCEUS_FAULT=checkpoint.write@1#2=term,"
                                                        "checkpoint.before_manifest@0#2=term"}});
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_THAT(output.err, HasSubstr("stopped on request after step 3;"));
  EXPECT_EQ(metrics_of(run_).steps.size(), 3u);
  EXPECT_TRUE(fs::exists(checkpoint(run_, 3) / io::kManifestName));
  EXPECT_EQ(output.err.find("checkpoint step-"), output.err.rfind("checkpoint step-"));
  EXPECT_THAT(run(arguments, {.ranks = 2}).err, HasSubstr("resumed from step 3,"));
}

TEST_F(Stop, ManySignalsDuringSaves) {
  expect_stop_and_go(
      [](const Program& program) {
        for (int i = 0; i < 300; ++i) {
          for (const pid_t rank : program.ranks()) kill(rank, SIGUSR1);
          std::this_thread::sleep_for(std::chrono::microseconds(500));
        }
      },
      2, {"--checkpoint.every", "1"});
}

TEST_F(Stop, TerminateDuringValidation) {
  expect_stop_and_go(
      [](const Program& program) { kill(program.ranks()[0], SIGTERM); }, 0,
      {"--train.validate_every", "1", "--data.validation", "held:" + shard("validation-Color")});
}

TEST_F(Stop, FileInTheRunDirectory) {
  expect_stop_and_go([&](const Program&) { std::ofstream(run_ / "STOP"); }, 2);
  EXPECT_FALSE(fs::exists(run_ / "STOP")) << "the next start would stop again";
  EXPECT_FALSE(fs::exists(run_ / "STOPPED")) << "of the start before";
}

TEST_F(Stop, BeforeTheFirstStepStopsBehindIt) {
  fs::create_directories(run_);
  std::ofstream(run_ / "STOP");
  const Output output = run(train_arguments(run_));
  EXPECT_EQ(output.code, 75) << output.all();
  EXPECT_TRUE(fs::exists(checkpoint(run_, 1) / io::kManifestName));
  EXPECT_EQ(run(train_arguments(run_)).code, 0);
  EXPECT_EQ(metrics_of(run_).steps.size(), 20u);
}

TEST_F(Stop, DuringTheLastStepTheRunIsDone) {
  const Arguments arguments = train_arguments(run_) + Arguments{"--train.steps", "1"};
  fs::create_directories(run_);
  std::ofstream(run_ / "STOP");
  EXPECT_EQ(run(arguments).code, 0);
  EXPECT_TRUE(fs::exists(checkpoint(run_, 1) / io::kManifestName));
}

TEST_F(Stop, RanksOfTheLauncherStopTogether) {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    fs::remove_all(run_);
    const Arguments arguments =
        train_arguments(run_) + Arguments{"--ranks", "2", "--train.steps", "1000000"};
    Program program(arguments);
    ASSERT_TRUE(program.wait_until([&] { return metrics_of(run_).steps.size() >= 2; }))
        << program.wait().all();
    kill(program.ranks()[0], signal);  // the command itself
    const Output output = program.wait();
    EXPECT_EQ(output.code, 75) << output.all();
    const auto last = static_cast<int64_t>(metrics_of(run_).steps.size());
    EXPECT_EQ(io::read_manifest(checkpoint(run_, last)).samples_seen, 8 * last);
    EXPECT_THAT(output.err, HasSubstr("asked to stop: "));
    EXPECT_THAT(output.err, HasSubstr(fmt::format("stopped on request after step {}", last)));
  }
}

TEST_F(Stop, TheLauncherHasTheExitCodeAndOneMessage) {
  const Output wrong = run(train_arguments(run_) + Arguments{"--ranks", "2", "--train.stepz", "1"});
  EXPECT_EQ(wrong.code, 2) << wrong.all();
  EXPECT_EQ(wrong.messages(), 1) << wrong.all();
  EXPECT_EQ(run(train_arguments(run_) + Arguments{"--ranks", "2", "--train.steps", "2"}).code, 0);
  const Output nested = run(train_arguments(run_) + Arguments{"--ranks", "2"}, {.ranks = 1});
  EXPECT_EQ(nested.code, 2) << nested.all();
  const Output lost = run(train_arguments(run_) + Arguments{"--ranks", "2", "--resume", "never"},
                          {.environment = {"LYNCEUS_FAULT=checkpoint.write@1=kill"}});
  EXPECT_EQ(lost.code, 128 + SIGKILL) << lost.all();
  EXPECT_EQ(lost.messages(), 1) << lost.all();
  EXPECT_THAT(lost.err, HasSubstr("one of 2 ranks, was killed (signal 9"));
}

TEST_F(Stop, MpirunThatIsTerminatedLosesNoShortStep) {
  const Arguments arguments = train_arguments(run_) + Arguments{"--train.steps", "1000000"};
  Program program(arguments, {.ranks = 2, .environment = {"OMPI_MCA_odls_base_sigkill_timeout=1"}});
  ASSERT_TRUE(program.wait_until([&] { return metrics_of(run_).steps.size() >= 2; }));
  kill(program.pid(), SIGTERM);
  const Output output = program.wait();
  EXPECT_THAT(output.err, HasSubstr("mpirun kills its ranks after 2 s unless started with"));
  EXPECT_TRUE(fs::exists(checkpoint(run_, static_cast<int64_t>(metrics_of(run_).steps.size()))));
}

}  // namespace
}  // namespace lynceus::cli_test
