// Requests to stop: what counts as one, and that later signals kill no process.
#include "train/run/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

class Signals : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(run_);
    fs::create_directories(run_);
  }
  StopReason reason(const StopRequests& stop, const io::Lease* lease = nullptr) {
    return stop.agreed(*world_, lease);
  }

  const fs::path run_ = fs::path(testing::TempDir()) / "signals";
  const std::unique_ptr<parallel::Communicator> world_ = parallel::make_self_communicator();
};

TEST_F(Signals, ASignalOrAFileIsARequest) {
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) {
    const StopRequests stop(run_);
    EXPECT_EQ(reason(stop), StopReason::kNone);
    raise(signal);
    EXPECT_EQ(reason(stop), StopReason::kRequested);
  }
  const StopRequests stop(run_);
  std::ofstream(run_ / "STOP");
  EXPECT_EQ(reason(stop), StopReason::kRequested);
  stop.clear();
  EXPECT_EQ(reason(stop), StopReason::kNone);
}

TEST_F(Signals, AnUnreadableDirectoryIsNoRequest) {
  const fs::path loop = run_ / "loop";
  fs::create_symlink(loop, loop);
  const StopRequests stop(loop);
  EXPECT_EQ(reason(stop), StopReason::kNone);
}

TEST_F(Signals, ALostLeaseIsTheGravestReason) {
  io::LeaseOptions options;
  options.take_over = true;
  const auto lease = io::Lease::acquire(run_, options);
  const StopRequests stop(run_);
  raise(SIGTERM);
  EXPECT_EQ(reason(stop, lease.get()), StopReason::kRequested);
  const auto successor = io::Lease::acquire(run_, options);
  EXPECT_FALSE(lease->still_mine());
  EXPECT_EQ(reason(stop, lease.get()), StopReason::kLeaseLost);
}

TEST_F(Signals, ASecondSignalAfterTheStopKillsNoProcess) {
  const pid_t child = fork();
  if (child == 0) {
    { const StopRequests stop(run_); }
    for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) raise(signal);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
}

}  // namespace
}  // namespace lynceus::train
