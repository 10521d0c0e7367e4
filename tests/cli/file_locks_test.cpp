// On a file system without file locks every command works, on one rank and on several.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::HasSubstr;
using testing::Not;

class WithoutFileLocks : public testing::TestWithParam<int> {
 protected:
  /// Runs a command that must succeed.
  static Output succeed(const Arguments& arguments, int ranks = 0) {
    const char* options = std::getenv("ASAN_OPTIONS");
    Launch launch{.ranks = ranks};
    launch.environment = {
        "LD_PRELOAD=" LYNCEUS_WITHOUT_LOCKS, fmt::format("WITHOUT_LOCKS={}", GetParam()),
        // Open MPI then locks what it writes, as it does by itself on NFS.
        "OMPI_MCA_fs_ufs_lock_algorithm=2",
        fmt::format("ASAN_OPTIONS={}:verify_asan_link_order=0", options ? options : "")};
    const Output output = run(arguments, launch);
    EXPECT_EQ(output.code, 0) << arguments.at(0) << "\n" << output.all();
    return output;
  }
  const Folder folder_{"file_locks"};
};

TEST_P(WithoutFileLocks, EveryCommandWorks) {
  const fs::path data = folder_ / "data";
  succeed({"prepare", "shapes", "--count", "12", "--train-tokenizer", "320", "--output", data});
  const Arguments train = {"train",
                           "--config",
                           std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/micro.ini",
                           "--data.tokenizer",
                           data / "tokenizer.model",
                           "--data.source",
                           "captions:1:" + (data / "train-captions.h5").string(),
                           "--data.validation",
                           "color:" + (data / "train-Color.h5").string(),
                           "--run",
                           folder_ / "run",
                           "--checkpoint.every",
                           "2"};
  const Output one = succeed(train + Arguments{"--stop-after", "4"});
  EXPECT_THAT(one.err, HasSubstr("[file lock refused]"));
  const Output two = succeed(train + Arguments{"--stop-after", "6"}, 2);
  EXPECT_THAT(two.err, HasSubstr("resumed from step 4, "));
  EXPECT_THAT(two.err, Not(HasSubstr("no checkpoint of step")));
  const std::string run = folder_ / "run";
  succeed({"inspect", run, "--verify"});
  succeed({"inspect", data / "train-captions.h5", "--verify"});
  succeed({"export", "--checkpoint", run, "--output", folder_ / "export"});
  succeed({"evaluate", "--run", run});
}

INSTANTIATE_TEST_SUITE_P(Errors, WithoutFileLocks, testing::Values(ENOLCK, ENOSYS),
                         [](const auto& instance) {
                           return instance.param == ENOLCK ? "ENOLCK" : "ENOSYS";
                         });

}  // namespace
}  // namespace lynceus::cli_test
