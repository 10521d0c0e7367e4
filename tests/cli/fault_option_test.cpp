// The option --fault: its page, its errors, and that a run keeps no trace of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(FaultOption, ListsGuessesAndLeavesNoTrace) {
  const Folder folder("fault-option");
  for (const int ranks : {0, 2}) {
    const Output help = run({"train", "--fault", "help"}, {.ranks = ranks});
    EXPECT_EQ(help.code, 0) << help.all();
    EXPECT_THAT(help.out, AllOf(HasSubstr("\n  step.gradient "), HasSubstr("\n  checkpoint.write "),
                                HasSubstr("\n  do "), HasSubstr("\n  kill ")));
    EXPECT_EQ(help.out.find("step.gradient "), help.out.rfind("step.gradient ")) << "printed twice";
    const Output typo = run(train_arguments(folder / "run") + Arguments{"--fault=step.gradeint:do"},
                            {.ranks = ranks});
    EXPECT_EQ(typo.code, 2) << typo.all();
    EXPECT_EQ(typo.messages(), 1) << typo.all();
    EXPECT_THAT(typo.err,
                HasSubstr("--fault: unknown fault point 'step.gradeint'; the nearest known "
                          "one is 'step.gradient'"));
  }
  const Output other = run({"evaluate", "--run", "x", "--fault", "step.gradient:do"});
  EXPECT_EQ(other.code, 2) << other.all();
  EXPECT_THAT(other.err, HasSubstr("--fault: expected one of the commands train, prepare"));
  ASSERT_EQ(run(train_arguments(folder / "run") +
                Arguments{"--stop-after", "1", "--fault", "step.gradient#9:do"})
                .code,
            0);
  EXPECT_THAT(io::read_text(folder / "run" / "config.ini"), Not(HasSubstr("fault =")));
  EXPECT_THAT(io::read_text(checkpoint(folder / "run", 1) / io::kManifestName),
              Not(HasSubstr("step.gradient")));
  const std::string rows = std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/photos/captions.jsonl";
  const Output prepare = run({"prepare", "jsonl", "--input", rows, "--output", folder / "data",
                              "--fault", "prepare.shard:throw"});
  EXPECT_EQ(prepare.code, 4) << prepare.all();
  EXPECT_THAT(prepare.err, HasSubstr("this start fails on purpose (--fault or LYNCEUS_FAULT): "
                                     "prepare.shard on every rank at visit 1: throw"));
}

}  // namespace
}  // namespace lynceus::cli_test
