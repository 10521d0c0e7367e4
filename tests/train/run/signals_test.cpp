// Requests to stop: what counts as one, and that later signals kill no process.
#include "train/run/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/process/stop_request.h"
#include "kernels/gemm.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

class Signals : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(run_);
    fs::create_directories(run_);
  }
  /// Another thread takes it.
  static void send(int signal) {
    kill(getpid(), signal);
    for (int i = 0; i < 5000 && !stop_is_requested(); ++i) usleep(1000);
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
    send(signal);
    EXPECT_EQ(reason(stop), StopReason::kRequested);
  }
  const StopRequests stop(run_);
  std::ofstream(run_ / "STOP");
  EXPECT_EQ(reason(stop), StopReason::kRequested);
  EXPECT_TRUE(stop.clear());
  EXPECT_TRUE(std::filesystem::exists(run_ / kStoppedName));
  EXPECT_FALSE(stop.clear());
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
  send(SIGTERM);
  EXPECT_EQ(reason(stop, lease.get()), StopReason::kRequested);
  const auto successor = io::Lease::acquire(run_, options);
  EXPECT_FALSE(lease->still_mine());
  EXPECT_EQ(reason(stop, lease.get()), StopReason::kLeaseLost);
}

TEST_F(Signals, ASecondSignalAfterTheStopKillsNoProcess) {
  const pid_t child = fork();
  if (child == 0) {
    { const StopRequests stop(run_); }
    for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) kill(getpid(), signal);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
}

TEST_F(Signals, DoNotDisturbAProduct) {
  const StopRequests stop(run_);
  Stream stream;
  const int64_t rows = 300, in = 128, out = 344;  // the library copies such operands
  const Tensor x = Tensor::empty(stream, {rows, in}), w = Tensor::empty(stream, {out, in});
  for (const Tensor& factor : {x, w}) {
    float value = 0;
    for (float& element : factor.span<float>()) element = std::sin(value += 1);
  }
  const auto product = [&] {
    const Tensor y = Tensor::empty(stream, {rows, out});
    kernels::linear_forward(stream, x, w, nullptr, y);
    return y;
  };
  const Tensor expected = product();
  std::atomic<bool> done = false;
  std::thread sender([&] {
    while (!done) {
      kill(getpid(), SIGUSR1);
      usleep(50);
    }
  });
  int differing = 0;
  for (int i = 0; i < 1000; ++i) {
    const Tensor y = product();
    const auto ours = y.span<float>(), right = expected.span<float>();
    differing += !std::equal(ours.begin(), ours.end(), right.begin());
  }
  done = true;
  sender.join();
  EXPECT_EQ(differing, 0);
}

}  // namespace
}  // namespace lynceus::train
