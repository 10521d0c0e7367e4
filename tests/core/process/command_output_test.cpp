// The output of other programs.
#include "core/process/command_output.h"

#include <gtest/gtest.h>

#include <chrono>

namespace lynceus {
namespace {

TEST(CommandOutput, IsWhatTheProgramPrints) {
  EXPECT_EQ(command_output({"printf", "a b\\nc"}, 10), "a b\nc");
  EXPECT_EQ(command_output({"true"}, 10), "");
}

TEST(CommandOutput, IsNoneForOneThatFails) {
  EXPECT_FALSE(command_output({"no-such-program"}, 10));
  EXPECT_FALSE(command_output({"false"}, 10));
  EXPECT_FALSE(command_output({"sh", "-c", "yes | head -c 2000000"}, 10)) << "too long";
}

TEST(CommandOutput, DoesNotWaitForEver) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(command_output({"sleep", "60"}, 0.2));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

}  // namespace
}  // namespace lynceus
