// What `--ranks N` does where it cannot wait for the ranks: commands without a checkpoint, a third
// Ctrl-C, ranks that MPI does not start on, more ranks than files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> found;
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", process));
  for (pid_t child = 0; children >> child;) found.push_back(child);
  return found;
}

/// Waits until `program`, a launcher, has started mpirun and that its ranks.
std::vector<pid_t> ranks_of(Program* program, size_t count) {
  std::vector<pid_t> ranks;
  program->wait_until([&] {
    const auto mpirun = children_of(program->pid());
    ranks = mpirun.empty() ? mpirun : children_of(mpirun.front());
    return ranks.size() >= count;
  });
  return ranks;
}

/// Not even a zombie.
bool is_running(pid_t process) {
  const auto lines = lines_of(fmt::format("/proc/{}/stat", process));
  return !lines.empty() && lines[0].at(lines[0].rfind(')') + 2) != 'Z';
}

void expect_gone(const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) {
    for (int i = 0; i < 500 && is_running(process); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_FALSE(is_running(process)) << "an orphan";
  }
}

class StopLauncher : public testing::Test {
 protected:
  const Folder folder_{"stop-launcher"};
  const fs::path run_ = folder_ / "run";
  const Arguments train_ =
      train_arguments(run_) + Arguments{"--ranks", "2", "--train.steps", "1000000"};
};

TEST_F(StopLauncher, AThirdInterruptEndsRanksThatDoNotStop) {
  Program program(train_, {.environment = {"LYNCEUS_FAULT=step.before_reduce@1#3=hang"}});
  const auto ranks = ranks_of(&program, 2);
  ASSERT_TRUE(program.wait_until([&] { return metrics_of(run_).steps.size() >= 2; }));
  for (int i = 0; i < 3; ++i) {
    kill(program.pid(), SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    EXPECT_TRUE(i == 2 || is_running(program.pid())) << "after " << i + 1;
  }
  const Output output = program.wait();
  EXPECT_EQ(output.code, 128 + SIGINT) << output.all();
  EXPECT_THAT(output.err,
              AllOf(HasSubstr("asked to stop: "), HasSubstr("a third Ctrl-C ends them at once")));
  expect_gone(ranks);
}

TEST_F(StopLauncher, CommandsWithoutACheckpointEndAtOnce) {
  ASSERT_EQ(run(train_arguments(run_) + Arguments{"--stop-after", "1"}).code, 0);
  const Arguments prepare = {"prepare", "shapes",   "--ranks",  "2",
                             "--count", "10000000", "--output", (folder_ / "data").string()};
  const Arguments evaluate = {"evaluate",
                              "--ranks",
                              "2",
                              "--run",
                              run_.string(),
                              "--data.validation",
                              "held:" + shard("validation-Color")};
  for (const Arguments& command : {prepare, evaluate})
    for (const int signal : {SIGINT, SIGTERM}) {
      // Rank 1 hangs, so that the command cannot be done before the signal.
      Program program(command, {.environment = {"LYNCEUS_FAULT=mpi.start@1=hang"}});
      const auto ranks = ranks_of(&program, 2);
      ASSERT_EQ(ranks.size(), 2u);
      const auto begin = std::chrono::steady_clock::now();
      kill(program.pid(), signal);
      const Output output = program.wait();
      EXPECT_EQ(output.code, 128 + signal) << output.all();
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
      expect_gone(ranks);
    }
}

TEST_F(StopLauncher, ARankWithoutMpiEndsTheOthers) {
  Program program(train_, {.environment = {"LYNCEUS_FAULT=mpi.start@1=throw"}});
  const auto ranks = ranks_of(&program, 2);
  const auto begin = std::chrono::steady_clock::now();
  const Output output = program.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  expect_gone(ranks);
}

TEST_F(StopLauncher, TheSignalThatEndedARankIsTheExitCode) {
  for (const int signal : {SIGKILL, SIGSEGV}) {
    fs::remove_all(run_);
    Program program(train_);
    const auto ranks = ranks_of(&program, 2);
    ASSERT_EQ(ranks.size(), 2u);
    ASSERT_TRUE(program.wait_until([&] { return !metrics_of(run_).steps.empty(); }));
    kill(ranks.back(), signal);
    const Output output = program.wait();
    EXPECT_EQ(output.code, 128 + signal) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    expect_gone(ranks);
  }
}

TEST_F(StopLauncher, ALowLimitOfOpenFilesIsRaised) {
  Program program(train_, {.shell = "ulimit -Sn 32; exec \"$@\""});
  ASSERT_TRUE(program.wait_until([&] { return !children_of(program.pid()).empty(); }));
  rlimit limit = {};
  ASSERT_EQ(prlimit(program.pid(), RLIMIT_NOFILE, nullptr, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, limit.rlim_max);
  kill(program.pid(), SIGINT);
  program.wait();
}

TEST_F(StopLauncher, RanksBeyondTheOpenFilesAreAnErrorWithTheCure) {
  Program program(train_);
  ASSERT_TRUE(program.wait_until([&] { return !children_of(program.pid()).empty(); }));
  // As many as it has open, before the first rank connects.
  const rlimit limit{5, 5};
  ASSERT_EQ(prlimit(program.pid(), RLIMIT_NOFILE, &limit, nullptr), 0);
  const Output output = program.wait();
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_THAT(output.err, HasSubstr("raise the limit of open files (`ulimit -n`) above 66"));
}

}  // namespace
}  // namespace lynceus::cli_test
