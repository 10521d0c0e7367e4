// No space and no memory end in one message with exit code 4, wherever the limit is met: also
// inside libraries that crash without.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;

std::string below(const std::string& limit) { return "ulimit " + limit + "; exec \"$@\""; }

void expect_done_or_message(const Output& output, const std::string& limit) {
  EXPECT_TRUE(output.code == 0 || output.code == 4) << limit << ": " << output.all();
  if (output.code == 4) {
    EXPECT_EQ(output.messages(), 1) << limit << ": " << output.all();
  }
}

TEST(Limits, AFullDiskEndsPrepareInOneMessage) {
  const Folder folder("limits-prepare");
  int refused = 0;
  for (int blocks = 2; blocks <= 60; blocks += 2) {  // of 512 bytes
    const std::string limit = fmt::format("-f {}", blocks);
    const Output output = run({"prepare", "shapes", "--count", "6", "--seed", "3", "--output",
                               folder / fmt::format("o{}", blocks)},
                              {.shell = below(limit)});
    expect_done_or_message(output, limit);
    refused += output.code == 4;
  }
  EXPECT_GT(refused, 10);
}

TEST(Limits, AFullDiskEndsTrainingInOneMessage) {
  shapes_data();
  const Folder folder("limits-train");
  int refused = 0;
  for (int blocks = 20; blocks <= 420; blocks += 50) {
    const std::string limit = fmt::format("-f {}", blocks);
    const Output output =
        run(train_arguments(folder / fmt::format("r{}", blocks)) + Arguments{"--train.steps", "2"},
            {.shell = below(limit)});
    expect_done_or_message(output, limit);
    refused += output.code == 4;
  }
  EXPECT_GT(refused, 4);
}

TEST(Limits, NoMemoryEndsTrainingInOneMessage) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer reserves more than the limits";
#endif
  shapes_data();
  const Folder folder("limits-memory");
  int refused = 0, done = 0;
  for (const char* threads : {"1", "2"}) {
    for (int kib = 120'000; kib <= 340'000; kib += 10'000) {
      const std::string limit = fmt::format("-v {}", kib);
      const Output output =
          run(train_arguments(folder / fmt::format("r{}-{}", threads, kib)) +
                  Arguments{"--train.steps", "2"},
              {.shell = fmt::format("export OMP_NUM_THREADS={}; {}", threads, below(limit))});
      // Open MPI itself may crash when it starts.
      if (output.err.find("computing on") == std::string::npos) continue;
      EXPECT_NE(output.code, 139) << limit << ": " << output.all();
      EXPECT_GE(output.code, 0) << limit << ": " << output.all();
      expect_done_or_message(output, limit + ", " + threads + " threads");
      if (output.code == 4) {
        EXPECT_THAT(output.err, HasSubstr("out of memory"));
      }
      refused += output.code == 4;
      done += output.code == 0;
    }
  }
  EXPECT_GT(refused, 4);
  EXPECT_GT(done, 4);
}

}  // namespace
}  // namespace lynceus::cli_test
