// Another process takes over a run: the former owner commits nothing more and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TakeOver : public testing::Test {
 protected:
  const Folder folder_{"takeover"};
  const fs::path run_ = folder_ / "run";
};

TEST_F(TakeOver, BetweenTheDataAndTheManifestOfASave) {
  const Arguments arguments =
      train_arguments(run_) + Arguments{"--checkpoint.every", "3", "--checkpoint.staging_mib", "0"};
  Program stale(arguments, {.environment = {"LYNCEUS_FAULT=checkpoint.before_manifest#3=pause"}});
  ASSERT_TRUE(stale.wait_until([&] { return is_stopped(stale.ranks()[0]); }));
  const Output successor = run(arguments + Arguments{"--take-over"});
  EXPECT_EQ(successor.code, 0) << successor.all();
  EXPECT_THAT(successor.err, HasSubstr("resumed from step 3, "));
  const auto committed = digests_of(run_, 20);
  kill(stale.ranks()[0], SIGCONT);
  const Output output = stale.wait();
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("LEASE.json: another process took the lease"));
  EXPECT_THAT(output.err, HasSubstr("stopped after step 6 without saving"));
  EXPECT_EQ(digests_of(run_, 20), committed);
  for (const auto& entry : fs::directory_iterator(run_ / "checkpoints"))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".staging")) << entry.path();
}

TEST_F(TakeOver, TheHeartbeatEndsTheFormerOwner) {
  const Arguments arguments = train_arguments(run_) + Arguments{"--train.steps", "1000000"};
  Program stale(arguments, {.ranks = 2});
  ASSERT_TRUE(stale.wait_until([&] { return lines_of(run_ / "metrics.jsonl").size() > 2; }));
  const Output successor = run(arguments + Arguments{"--take-over", "--stop-after", "2"});
  EXPECT_EQ(successor.code, 0) << successor.all();
  const auto begin = std::chrono::steady_clock::now();
  const Output output = stale.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(output.code, 4) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("another process took the lease: stopped after step "));
  EXPECT_THAT(output.err, Not(HasSubstr("no checkpoint of step")));
}

}  // namespace
}  // namespace lynceus::cli_test
