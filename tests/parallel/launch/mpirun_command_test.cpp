// The command and the option of `--ranks N`.
#include "parallel/launch/mpirun_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "parallel/launch/launcher.h"

namespace lynceus::parallel {
namespace {

using testing::Contains;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

using Arguments = std::vector<std::string>;

TEST(MpirunCommand, AddsWhatTheMachineNeeds) {
  LocalLaunch launch{.ranks = 4, .cores = 4, .is_root = false, .session = "/s"};
  const Arguments plain = mpirun_command(launch, {"/bin/lynceus", "train"});
  EXPECT_EQ(plain.front(), "mpirun");
  EXPECT_EQ(plain.back(), "train");
  EXPECT_THAT(plain, Contains("--quiet"));
  const std::string settings = fmt::format("{}", fmt::join(plain, " "));
  EXPECT_THAT(settings, HasSubstr(" --bind-to none ")) << "else each rank has one core";
  EXPECT_THAT(settings, ContainsRegex(" --mca odls_base_sigkill_timeout [0-9]{4,} "))
      << "else mpirun kills the ranks while they save";
  EXPECT_THAT(settings, EndsWith(" /bin/lynceus train"));
  EXPECT_THAT(plain, Not(Contains("--oversubscribe")));
  EXPECT_THAT(plain, Not(Contains("--allow-run-as-root")));
  launch.cores = 3;
  launch.is_root = true;
  const Arguments more = mpirun_command(launch, {"/bin/lynceus", "train"});
  EXPECT_THAT(more, Contains("--oversubscribe"));
  EXPECT_THAT(more, Contains("--allow-run-as-root"));
}

TEST(TakeRanks, TakesTheOptionOut) {
  Arguments arguments = {"train", "--ranks", "4", "--run", "x"};
  EXPECT_EQ(take_ranks(&arguments), 4);
  EXPECT_EQ(arguments, (Arguments{"train", "--run", "x"}));
  arguments = {"train", "--ranks=2"};
  EXPECT_EQ(take_ranks(&arguments), 2);
  EXPECT_EQ(arguments, (Arguments{"train"}));
  EXPECT_EQ(take_ranks(&arguments), std::nullopt);
  arguments = {"verify", "--", "--ranks", "2"};
  EXPECT_EQ(take_ranks(&arguments), std::nullopt) << "a file of this name";
  for (const char* wrong : {"0", "-1", "x", "2x", "", "99999"}) {
    arguments = {"train", "--ranks", wrong};
    EXPECT_THROW(take_ranks(&arguments), UsageError) << wrong;
  }
  arguments = {"train", "--ranks"};
  EXPECT_THROW(take_ranks(&arguments), UsageError);
}

}  // namespace
}  // namespace lynceus::parallel
