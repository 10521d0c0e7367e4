// A rank that hangs, is stopped or calls something else: the watchdog names it and ends the job
// with exit code 124. A clean run with small limits ends as any other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kLimit = 3;  // seconds

/// The process has ended; it may be a zombie.
bool is_gone(pid_t process) {
  const auto lines = lines_of(fmt::format("/proc/{}/stat", process));
  return lines.empty() || lines[0].at(lines[0].rfind(')') + 2) == 'Z';
}

/// mpirun may end a moment before the ranks that it has killed.
void expect_end_of(const std::vector<pid_t>& ranks) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (const pid_t rank : ranks) {
    while (!is_gone(rank) && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(is_gone(rank)) << "an orphan";
  }
}

Arguments watched(const fs::path& run, int steps = 12, double limit = kLimit) {
  Arguments arguments =
      train_arguments(run) + Arguments{"--train.steps",          std::to_string(steps),
                                       "--checkpoint.every",     "3",
                                       "--watchdog.slow_factor", "0"};
  for (const char* section : {"step", "data", "evaluate"})
    arguments =
        arguments + Arguments{fmt::format("--watchdog.{}", section), fmt::format("{:g}", limit)};
  return arguments;
}

/// Training on three replicas, on one of which something happens.
struct Watched {
  Watched(const std::string& name, const std::string& fault, bool by_launcher,
          const Arguments& more = {})
      : folder("watchdog-" + name),
        run(folder / "run"),
        program(
            watched(run) + more + grid(1, 1, 3) +
                (by_launcher ? Arguments{"--ranks", "3"} : Arguments{}),
            {.ranks = by_launcher ? 0 : 3,
             .environment = {"LYNCEUS_FAULT=" + fault, "OMPI_MCA_odls_base_sigkill_timeout=1"}}) {}

  /// Waits until so many steps are done. -> the processes of the ranks.
  std::vector<pid_t> after_steps(size_t steps) {
    EXPECT_TRUE(
        program.wait_until([&] { return lines_of(run / "metrics.jsonl").size() >= steps; }));
    return program.ranks();
  }
  /// One message on the terminal and in the log.
  Output end() {
    const Output output = program.wait();
    EXPECT_EQ(output.code, 124) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr("lynceus: watchdog: no progress for "));
    const std::string log = io::read_text(run / "log" / "train.log");
    const size_t at = output.err.find("watchdog: no progress");
    EXPECT_THAT(log, HasSubstr(output.err.substr(at, output.err.find('\n', at) - at)));
    return output;
  }

  Folder folder;
  fs::path run;
  Program program;
};

class Hang : public testing::TestWithParam<bool> {};

TEST_P(Hang, IsNamedWhereverTheRankIs) {
  Watched job("hang", "step.before_reduce@1#5=hang", GetParam());
  const auto ranks = job.after_steps(4);
  const auto begin = std::chrono::steady_clock::now();
  const Output output = job.end();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_THAT(output.err, HasSubstr("in section step, step 5: rank 1 ("));
  EXPECT_THAT(output.err, HasSubstr(") hangs: step after step 4, in no call; the last was "));
  EXPECT_THAT(output.err, HasSubstr("\n  ranks 0,2: step after step 4, in all_reduce "));
  expect_end_of(ranks);
  const Output again = run(watched(job.run) + grid(1, 1, 3), {.ranks = 3});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 3, "));
  EXPECT_FALSE(fs::exists(job.run / "watch"));
}

TEST_P(Hang, OfRankZeroIsReportedToo) {
  Watched job("first", "watch.data@0#6=hang", GetParam());
  EXPECT_THAT(job.end().err, HasSubstr(": rank 0 ("));
}

TEST_P(Hang, NamesARankThatIsStopped) {
  Watched job("stopped", "watch.step@2#5=pause", GetParam());
  const auto ranks = job.after_steps(4);
  const Output output = job.end();
  EXPECT_THAT(output.err, HasSubstr(": rank 2 ("));
  EXPECT_THAT(output.err, HasSubstr(") does not answer: the process is stopped or dead"));
  expect_end_of(ranks);
}

TEST_P(Hang, NamesARankZeroThatIsStopped) {
  Watched job("first-stopped", "watch.step@0#5=pause", GetParam());
  EXPECT_THAT(job.end().err, HasSubstr(": rank 0 ("));
}

TEST_P(Hang, NamesARankThatCallsSomethingElse) {
  // Only the bridge is trained, so the next call of the others is one of the same group.
  Watched job("another", "watch.another_call@1#5=do", GetParam(), {"--model.train", "bridge"});
  const Output output = job.end();
  EXPECT_THAT(output.err, HasSubstr(": rank 1 ("));
  EXPECT_THAT(output.err, HasSubstr(") called barrier of 0 bytes as call "));
  EXPECT_THAT(output.err, HasSubstr("of the world, but the other ranks 0,2 all_reduce of "));
}

TEST_P(Hang, NamesARankThatCallsAnotherGroup) {
  Watched job("group", "watch.another_call@1#5=do", GetParam());
  EXPECT_THAT(job.end().err, HasSubstr(": the ranks wait for each other: rank 1 ("));
}

INSTANTIATE_TEST_SUITE_P(Of, Hang, testing::Bool(), [](const auto& instance) {
  return std::string(instance.param ? "OwnLauncher" : "Mpirun");
});

TEST(Watchdog, GivesSlowFilesMoreTimeThanAStep) {
  const Folder folder("watchdog-data");
  const auto reading_slowly = [&](const std::string& limit) {
    return run(watched(folder / limit, 6, 1) + Arguments{"--watchdog.data", limit, "--ranks", "2"},
               {.environment = {"LYNCEUS_FAULT=watch.data@1#4=delay"}});
  };
  const Output output = reading_slowly("30");
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_FALSE(fs::exists(folder / "30" / "watch"));
  EXPECT_EQ(reading_slowly("1").code, 124);
}

TEST(Watchdog, DoesNotFireInACleanRun) {
  const Folder folder("watchdog-clean");
  const Output output = run(watched(folder / "run", 60, 5) +
                                Arguments{"--train.validate_every", "20", "--data.validation",
                                          "color:" + shard("validation-Color"), "--ranks", "3"} +
                                grid(1, 1, 3),
                            {});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, Not(HasSubstr("watchdog: ")));
  EXPECT_FALSE(fs::exists(folder / "run" / "watch"));
}

TEST(Watchdog, DoesNotCountTheTimeInWhichAllRanksAreStopped) {
  const Folder folder("watchdog-suspended");
  Program program(watched(folder / "run", 40, 1) + grid(1, 1, 2), {.ranks = 2});
  ASSERT_TRUE(
      program.wait_until([&] { return lines_of(folder / "run" / "metrics.jsonl").size() >= 4; }));
  const auto ranks = program.ranks();
  for (const pid_t rank : ranks) kill(rank, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(3));
  for (const pid_t rank : ranks) kill(rank, SIGCONT);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 0) << output.all();
}

TEST(Watchdog, WatchesASingleRank) {
  const Folder folder("watchdog-alone");
  const Output output = run(watched(folder / "run", 12, 1),
                            {.environment = {"LYNCEUS_FAULT=step.before_reduce#5=hang"}});
  EXPECT_EQ(output.code, 124) << output.all();
  EXPECT_THAT(output.err, HasSubstr("rank 0 ("));
}

TEST(Watchdog, FiresWhereTheRunDirectoryIsGone) {
  const Folder folder("watchdog-gone");
  Program program(watched(folder / "run") + Arguments{"--ranks", "2"},
                  {.environment = {"LYNCEUS_FAULT=step.before_reduce@1#5=hang"}});
  ASSERT_TRUE(
      program.wait_until([&] { return lines_of(folder / "run" / "metrics.jsonl").size() >= 4; }));
  std::ofstream(folder / "run" / "watch") << "a file in place of the folder";
  const Output output = program.wait();
  EXPECT_EQ(output.code, 124) << output.all();
  EXPECT_THAT(output.err, HasSubstr("the run directory does not answer"));
}

}  // namespace
}  // namespace lynceus::cli_test
