// The lease of a run: a takeover leaves the former owner nothing to commit.
#include "io/checkpoint/run_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(RunLease, ATakeoverRenamesTheStagingDirectory) {
  const fs::path run = testing::TempDir() + "run_lease";
  fs::remove_all(run);
  const auto stale = acquire_run_lease(run);
  const fs::path staging = run / "checkpoints" / (".staging-" + stale->token());
  fs::create_directories(staging / "step-00000001");
  LeaseOptions options;
  options.take_over = true;
  const auto lease = acquire_run_lease(run, options);
  EXPECT_FALSE(fs::exists(staging));
  EXPECT_TRUE(fs::exists(run / "checkpoints" / (".abandoned-" + stale->token())));
  sweep_staging(run / "checkpoints", lease->token(), true);
  EXPECT_TRUE(fs::is_empty(run / "checkpoints"));
  try {
    acquire_run_lease(run);
    ADD_FAILURE() << "two owners";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("this run directory is in use by process "));
    EXPECT_THAT(error.what(), HasSubstr("choose another --run, or pass --take-over"));
  }
  fs::remove_all(run);
}

}  // namespace
}  // namespace lynceus::io
