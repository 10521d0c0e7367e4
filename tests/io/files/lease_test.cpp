// The lease: one owner; a dead owner is replaced at once, a living one is named, and one that lost
// the lease cannot commit.
#include "io/files/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <thread>

#include "core/error.h"
#include "io/files/file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LeaseTest : public testing::Test {
 protected:
  void SetUp() override {
    run_ = testing::TempDir() + "lease_" +
           testing::UnitTest::GetInstance()->current_test_info()->name() + std::to_string(getpid());
    fs::remove_all(run_);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    unsetenv("LYNCEUS_JOB_START");
  }
  void TearDown() override { fs::remove_all(run_); }

  std::string text() const { return read_text(run_ / kLeaseName); }
  /// Rewrites LEASE.json as if another process had written it.
  void forge(const std::string& pattern, const std::string& replacement) const {
    const std::string changed = std::regex_replace(text(), std::regex(pattern), replacement);
    ASSERT_NE(changed, text());
    atomic_write_text(run_ / kLeaseName, changed);
  }
  /// Another process takes the lease and dies with it.
  void leave_dead_lease() const {
    const pid_t child = fork();
    if (child == 0) {
      auto lease = Lease::acquire(run_);
      _exit(lease->still_mine() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_TRUE(fs::exists(run_ / kLeaseName));
  }
  static LeaseOptions fast() {
    LeaseOptions options;
    options.heartbeat = std::chrono::milliseconds(20);
    options.dead_after = std::chrono::milliseconds(300);
    return options;
  }

  fs::path run_;
};

TEST_F(LeaseTest, IsHeldAndReleased) {
  {
    const auto lease = Lease::acquire(run_);
    EXPECT_TRUE(lease->still_mine());
    EXPECT_EQ(lease->token().size(), 32u);
    EXPECT_THAT(text(), HasSubstr(lease->token()));
  }
  EXPECT_TRUE(fs::is_empty(run_)) << "a released lease leaves no file";
  EXPECT_TRUE(Lease::acquire(run_)->still_mine());
}

TEST_F(LeaseTest, SecondProcessRefusesAndNamesTheOwner) {
  const auto lease = Lease::acquire(run_);
  const pid_t child = fork();
  if (child == 0) {
    try {
      Lease::acquire(run_);
      _exit(1);
    } catch (const UsageError& error) {
      const std::string said = error.what();
      const std::string owner = "process " + std::to_string(getppid()) + " on ";
      for (const char* part :
           {owner.c_str(), "since 20", "this directory is in use", "wait until it ends, or choose"})
        if (said.find(part) == std::string::npos) _exit(2);
      _exit(0);
    }
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(lease->still_mine());
}

TEST_F(LeaseTest, DeadOwnerIsReplacedAtOnce) {
  leave_dead_lease();
  const auto begin = std::chrono::steady_clock::now();
  const auto lease = Lease::acquire(run_);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(lease->still_mine());
}

TEST_F(LeaseTest, ReusedProcessIdIsNotTheOwner) {
  auto lease = Lease::acquire(run_);
  forge(R"("start_time":\d+)", R"("start_time":1)");  // this pid, but started at another time
  EXPECT_TRUE(Lease::acquire(run_)->still_mine());
}

TEST_F(LeaseTest, OwnerOnAnotherBootIsWatched) {
  leave_dead_lease();
  forge(R"("boot_id":"[^"]*")", R"("boot_id":"other")");
  int calls = 0;
  LeaseOptions options = fast();
  options.waiting = [&](const LeaseOwner&, std::chrono::milliseconds) { ++calls; };
  EXPECT_TRUE(Lease::acquire(run_, options)->still_mine());
  EXPECT_GT(calls, 0) << "another host of the same name may hold it";
}

TEST_F(LeaseTest, OwnerOnAnotherHostIsWatched) {
  leave_dead_lease();
  forge(R"("host":"[^"]*")", R"("host":"elsewhere")");
  int calls = 0;
  LeaseOptions options = fast();
  options.waiting = [&](const LeaseOwner& owner, std::chrono::milliseconds) {
    EXPECT_EQ(owner.host, "elsewhere");
    ++calls;
  };
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(Lease::acquire(run_, options)->still_mine());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, options.dead_after);
  EXPECT_GT(calls, 0);
}

TEST_F(LeaseTest, LivingOwnerOnAnotherHostIsRefused) {
  const auto lease = Lease::acquire(run_, fast());
  // In place, as the heartbeat does, so that the owner's open file remains the visible one.
  std::string changed = text();
  const std::string host = "\"host\":\"" + lease->owner().host + "\"";
  const size_t at = changed.find(host);
  ASSERT_NE(at, std::string::npos);
  ASSERT_GE(lease->owner().host.size(), 1u);
  changed[at + 8] = changed[at + 8] == 'z' ? 'y' : 'z';
  FILE* file = std::fopen((run_ / kLeaseName).c_str(), "r+");
  std::fwrite(changed.data(), 1, changed.size(), file);
  std::fclose(file);
  EXPECT_THROW(Lease::acquire(run_, fast()), UsageError);
  EXPECT_TRUE(lease->still_mine());
}

TEST_F(LeaseTest, LaterStartOfTheSameJobTakesOver) {
  setenv("SLURM_JOB_ID", "42", 1);
  setenv("SLURM_RESTART_COUNT", "0", 1);
  const auto stale = Lease::acquire(run_, fast());
  EXPECT_THROW(Lease::acquire(run_, fast()), UsageError);
  setenv("SLURM_RESTART_COUNT", "1", 1);
  const auto lease = Lease::acquire(run_, fast());
  EXPECT_TRUE(lease->still_mine());
  EXPECT_FALSE(stale->still_mine());
}

TEST_F(LeaseTest, LaterStartWithinTheJobTakesOver) {
  setenv("SLURM_JOB_ID", "42", 1);
  setenv("SLURM_RESTART_COUNT", "1", 1);
  setenv("LYNCEUS_JOB_START", "1", 1);
  const auto stale = Lease::acquire(run_, fast());
  EXPECT_EQ(read_lease(run_)->start_count, 1);
  EXPECT_THAT(read_lease(run_)->describe(), HasSubstr("job 42, restart 1, start 2, "));
  EXPECT_THROW(Lease::acquire(run_, fast()), UsageError);
  setenv("LYNCEUS_JOB_START", "0", 1);
  EXPECT_THROW(Lease::acquire(run_, fast()), UsageError) << "an earlier start";
  setenv("LYNCEUS_JOB_START", "2", 1);
  const auto lease = Lease::acquire(run_, fast());
  EXPECT_TRUE(lease->still_mine());
  EXPECT_FALSE(stale->still_mine());
  setenv("SLURM_RESTART_COUNT", "2", 1);
  setenv("LYNCEUS_JOB_START", "0", 1);
  EXPECT_TRUE(Lease::acquire(run_, fast())->still_mine()) << "the job was restarted";
}

TEST_F(LeaseTest, ALeaseWithoutAStartCountIsRead) {
  setenv("SLURM_JOB_ID", "42", 1);
  const auto lease = Lease::acquire(run_, fast());
  forge("\"start_count\":0,", "");
  EXPECT_EQ(read_lease(run_)->start_count, 0);
}

TEST_F(LeaseTest, ATakeoverIsDetected) {
  const auto stale = Lease::acquire(run_, fast());
  LeaseOptions options = fast();
  options.take_over = true;
  std::vector<std::string> owners;  // at each call
  options.disarm_former_owner = [&](const std::string& token) {
    EXPECT_NE(token, stale->token());
    owners.push_back(text().find(token) == std::string::npos ? "former" : "new");
  };
  auto lease = Lease::acquire(run_, options);
  EXPECT_THAT(owners, testing::ElementsAre("former", "new"));
  for (int i = 0; i < 100 && !stale->lost(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(stale->lost());
  stale->release();
  EXPECT_TRUE(lease->still_mine()) << "the stale owner removed or overwrote its successor's lease";
}

TEST_F(LeaseTest, OfAnOlderVersionIsUnderstood) {
  const auto lease = Lease::acquire(run_);
  forge(R"("since":"[^"]*",)", "");
  EXPECT_THROW(Lease::acquire(run_), UsageError);
}

TEST_F(LeaseTest, LeavesNoFileWhereNewcomersComeMeanwhile) {
  for (int round = 0; round < 300; ++round) {
    auto lease = Lease::acquire(run_);
    std::atomic<int> begun = 0;
    const auto try_to_acquire = [&] {
      ++begun;
      try {
        Lease::acquire(run_);
      } catch (const UsageError&) {  // refused
      }
    };
    std::thread newcomers[] = {std::thread(try_to_acquire), std::thread(try_to_acquire)};
    while (begun < 2) std::this_thread::yield();
    lease.reset();
    for (std::thread& newcomer : newcomers) newcomer.join();
    ASSERT_TRUE(fs::is_empty(run_)) << fs::directory_iterator(run_)->path() << ", round " << round;
  }
}

TEST_F(LeaseTest, HeartbeatMoves) {
  const auto lease = Lease::acquire(run_, fast());
  const std::string before = text();
  for (int i = 0; i < 100 && text() == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_NE(text(), before);
  EXPECT_TRUE(lease->still_mine());
}

TEST_F(LeaseTest, UnreadableLeaseIsAnInputErrorUnlessTakenOver) {
  fs::create_directories(run_);
  atomic_write_text(run_ / kLeaseName, "no json");
  for (const std::string& content :
       {std::string(), std::string(300, '\0'), std::string("{\"a\": 1}"), std::string("[1, 2]"),
        std::string("hello")}) {
    std::ofstream(run_ / kLeaseName, std::ios::binary) << content;
    EXPECT_THAT(
        [&] { Lease::acquire(run_); },
        testing::ThrowsMessage<InputError>(testing::AllOf(
            HasSubstr(kLeaseName), HasSubstr("Remove this file if no process uses the folder"))));
  }
  LeaseOptions options;
  options.take_over = true;
  EXPECT_TRUE(Lease::acquire(run_, options)->still_mine());
}

}  // namespace
}  // namespace lynceus::io
