// Checkpoints that are written while training goes on have the bits of those for which training
// waits; where it must wait, the log says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "background_save.h"

namespace lynceus::cli_test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

struct Layout {
  const char* name;
  int ranks;
  int tensor, data;
};

class BackgroundSave : public testing::TestWithParam<Layout> {
 protected:
  Launch launch(const Arguments& environment = {}) const {
    return {.ranks = GetParam().ranks == 1 ? 0 : GetParam().ranks, .environment = environment};
  }
  Arguments arguments(const std::string& name) const {
    return saving_arguments(folder_ / name, 12, 5) + grid(GetParam().tensor, 1, GetParam().data) +
           Arguments{"--checkpoint.keep_last", "9"};
  }
  const Folder folder_{"background"};
};

TEST_P(BackgroundSave, HasTheBitsOfOneThatTrainingWaitsFor) {
  // Nothing of step 5 is written before the steps up to 10 are done: that of step 10 is due, and
  // waits.
  Program program(arguments("beside"), launch({"LYNCEUS_FAULT=checkpoint.created#2=delay"}));
  const fs::path beside = folder_ / "beside", waiting = folder_ / "waiting";
  ASSERT_TRUE(program.wait_until([&] { return steps_of(beside) >= 9; }));
  EXPECT_FALSE(is_committed(beside, 5));
  const Output waited =
      run(arguments("waiting") + Arguments{"--checkpoint.staging_mib", "0"}, launch());
  ASSERT_EQ(waited.code, 0) << waited.all();
  EXPECT_THAT(waited.err, HasSubstr("training waits while a checkpoint is written: "
                                    "checkpoint.staging_mib is 0"));
  const Output output = program.wait();
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err, HasSubstr("checkpoints are written while training goes on, from a "
                                    "snapshot of at most "));
  for (const int64_t step : {5, 10, 12})
    EXPECT_EQ(digests_of(beside, step), digests_of(waiting, step)) << step;
  EXPECT_EQ(metrics_of(beside).steps, metrics_of(waiting).steps);
  EXPECT_EQ(count(output.err, "was still being written when the next one was due"), 1);
}

INSTANTIATE_TEST_SUITE_P(Grids, BackgroundSave,
                         testing::Values(Layout{"one", 1, 1, 1}, Layout{"four", 4, 2, 2}),
                         [](const auto& instance) { return instance.param.name; });

TEST(StagingMemory, ThatIsTooSmallIsSaid) {
  const Folder folder("staging");
  const fs::path path = folder / "run";
  const Output output = run(
      saving_arguments(path, 6, 3) + grid(1, 1, 2) + Arguments{"--checkpoint.staging_mib", "0.001"},
      {.ranks = 2});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(
      output.err,
      ContainsRegex("training waits while a checkpoint is written: rank 0: a snapshot takes "
                    ".* on it, more than checkpoint.staging_mib = 0.001"));
  EXPECT_TRUE(is_committed(path, 3));
}

TEST(OneMpiThread, IsSaidAndTrainingWaits) {
  const Folder folder("thread");
  const fs::path path = folder / "run";
  const Output output = run(saving_arguments(path, 6, 3) + grid(1, 1, 2),
                            {.ranks = 2, .environment = {"LYNCEUS_FAULT=mpi.one_thread=do"}});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(count(output.err,
                  "training waits while a checkpoint is written: rank 0: its MPI library "
                  "does not let two threads communicate (MPI_THREAD_MULTIPLE)"),
            1)
      << output.all();
  EXPECT_TRUE(is_committed(path, 6));
}

}  // namespace
}  // namespace lynceus::cli_test
