// Two processes start in an empty run directory whose file system has no locks: exactly one
// continues, in either order.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "io/files/lease.h"

extern "C" int flock(int, int) noexcept {
  errno = ENOLCK;
  return -1;
}

namespace lynceus::io {
namespace {

// Set before main(). Each process has seen that the run has no owner, and pauses until both have.
const int kEnvironment = setenv("LYNCEUS_FAULT", "lease.after_sweep=pause", 1);

pid_t start_newcomer(const std::filesystem::path& run) {
  const pid_t child = fork();
  if (child != 0) return child;
  try {
    const auto lease = Lease::acquire(run);
    usleep(600'000);  // until the other one has checked
    _exit(0);
  } catch (const Error&) {
    _exit(1);
  }
}

TEST(LeaseRace, WithoutLocksOneOfTwoContinues) {
  ASSERT_EQ(kEnvironment, 0);
  const std::filesystem::path run = testing::TempDir() + "lease_race";
  for (int round = 0; round < 3; ++round) {
    std::filesystem::remove_all(run);
    const pid_t children[] = {start_newcomer(run), start_newcomer(run)};
    int status = 0;
    for (const pid_t child : children) {
      ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
      ASSERT_TRUE(WIFSTOPPED(status));
    }
    for (const pid_t child : children) kill(child, SIGCONT);
    int went_on = 0;
    for (const pid_t child : children) {
      ASSERT_EQ(waitpid(child, &status, 0), child);
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ++went_on;
    }
    EXPECT_EQ(went_on, 1);
  }
}

}  // namespace
}  // namespace lynceus::io
