// If one rank fails in the middle of a step while the others wait for it, the job ends at once, and
// the next start continues.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

/// The process has ended; it may be a zombie.
bool is_gone(pid_t process) {
  const auto lines = lines_of(fmt::format("/proc/{}/stat", process));
  return lines.empty() || lines[0].at(lines[0].rfind(')') + 2) == 'Z';
}

class RankFault : public testing::TestWithParam<const char*> {};

TEST_P(RankFault, EndsTheJobWithinTenSeconds) {
  const Folder folder("rank-fault");
  const Arguments arguments =
      train_arguments(folder / "run") + grid(2, 1, 1) +
      Arguments{"--train.steps", "12", "--checkpoint.every", "3", "--checkpoint.staging_mib", "0"};
  Program program(
      arguments,
      {.ranks = 2,
       .environment = {fmt::format("LYNCEUS_FAULT=step.before_reduce@1#5={}", GetParam()),
                       "OMPI_MCA_odls_base_sigkill_timeout=1"}});  // as users have it
  ASSERT_TRUE(
      program.wait_until([&] { return lines_of(folder / "run" / "metrics.jsonl").size() >= 4; }));
  const auto ranks = program.ranks();
  const auto begin = std::chrono::steady_clock::now();
  const Output output = program.wait();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_NE(output.code, 0) << output.all();
  if (GetParam() == std::string("throw")) {
    EXPECT_EQ(output.messages(), 1) << output.all();
    EXPECT_THAT(output.err, HasSubstr("lynceus: rank 1: fault point 'step.before_reduce'"));
  }
  const auto end = begin + std::chrono::seconds(10);
  for (const pid_t rank : ranks) {
    while (!is_gone(rank) && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(is_gone(rank)) << "an orphan";
  }
  EXPECT_EQ(numbers_of(folder / "run", "step").size(), 4u);
  const Output again = run(arguments, {.ranks = 2});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 3, "));
}

INSTANTIATE_TEST_SUITE_P(MidStep, RankFault, testing::Values("throw", "kill"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace lynceus::cli_test
