// File systems that take few files (nr_inodes of a tmpfs): runs and `lynceus prepare` end in one
// message with exit code 4, or warn of a save, and with room for files end as usual.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class FewFiles : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("unshare -Urm true 2>/dev/null") != 0)
      GTEST_SKIP() << "no user namespaces here, so no small file system";
    fs::create_directories(folder_ / "mount");
  }

  /// The command on a file system of so many files, then again with room for more. Its output
  /// folder, mount/out, is afterwards in folder_ / out. -> whether the first start was refused.
  bool is_refused(const Arguments& arguments, int files) {
    fs::remove_all(folder_ / "out");
    const std::string shell = fmt::format(
        "exec unshare -Urm sh -c 'mount -t tmpfs -o nr_inodes={1} tmpfs {0}/mount || exit 1; "
        "\"$@\"; echo \"code $?\" >&2; mount -o remount,nr_inodes=1000 {0}/mount || exit 1; "
        "\"$@\"; code=$?; cp -a {0}/mount/out {0}/out; exit $code' - \"$@\"",
        folder_.path().string(), files);
    const Output output = run(arguments, {.shell = shell});
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(output.err, AnyOf(HasSubstr("code 0\n"), HasSubstr("code 4\n"))) << output.all();
    const bool refused = output.err.find("code 4\n") != std::string::npos;
    EXPECT_EQ(output.messages(), refused ? 1 : 0) << output.all();
    if (refused || output.err.find("no checkpoint of step") != std::string::npos) {
      EXPECT_THAT(output.err, HasSubstr("No space left on device"));
    }
    return refused;
  }
  fs::path output() const { return folder_ / "mount/out"; }

  const Folder folder_{"few-files"};
};

TEST_F(FewFiles, PrepareContinuesWithRoom) {
  const fs::path photos = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";
  const auto arguments = [&](const fs::path& folder) {
    return Arguments{"prepare",  "jsonl", "--input",     photos / "captions.jsonl",
                     "--output", folder,  "--shard-gib", "0.0001"};
  };
  const auto contents = [](const fs::path& folder) {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::directory_iterator(folder))
      all[entry.path().filename()] = io::read_text(entry.path());
    return all;
  };
  ASSERT_EQ(run(arguments(folder_ / "straight")).code, 0);
  const auto expected = contents(folder_ / "straight");
  int refused = 0;
  for (int files = 3; files <= 30; files += 3) {
    SCOPED_TRACE(fmt::format("{} files", files));
    refused += is_refused(arguments(output()), files);
    EXPECT_TRUE(contents(folder_ / "out") == expected) << "the bytes differ";
  }
  EXPECT_GT(refused, 2);
  EXPECT_LT(refused, 10);
}

TEST_F(FewFiles, RunsContinueWithRoom) {
  const auto arguments = [](const fs::path& folder) {
    return train_arguments(folder) +
           Arguments{"--train.steps",          "12", "--checkpoint.every",       "3",
                     "--checkpoint.keep_last", "99", "--checkpoint.staging_mib", "0",
                     "--checkpoint.patience",  "0"};
  };
  ASSERT_EQ(run(arguments(folder_ / "straight")).code, 0);
  int refused = 0;
  for (int files = 3; files <= 39; files += 6) {
    SCOPED_TRACE(fmt::format("{} files", files));
    refused += is_refused(arguments(output()), files);
    EXPECT_EQ(digests_of(folder_ / "out", 12), digests_of(folder_ / "straight", 12));
    EXPECT_EQ(metrics_of(folder_ / "out").steps, metrics_of(folder_ / "straight").steps);
    for (const auto& entry : fs::directory_iterator(folder_ / "out/checkpoints"))
      EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << "left: " << entry.path();
  }
  EXPECT_GT(refused, 2);
  EXPECT_LT(refused, 7);
}

}  // namespace
}  // namespace lynceus::cli_test
