// Checkpoints that earlier versions of the program wrote (tests/data/checkpoints) are opened and
// resumed, and the run continues like one that this version made alone. Earlier versions may have
// rounded otherwise, so losses are compared and not bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kFolder = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/checkpoints";

/// The configuration names its files from the root of the sources.
Output train_nano(const fs::path& run_directory, const Arguments& more = {}) {
  const Arguments arguments = {"train", "--config", "tests/data/checkpoints/nano.ini", "--run",
                               run_directory.string()};
  return run(arguments + more, {.shell = fmt::format("cd {} && exec \"$@\"", LYNCEUS_SOURCE_DIR)});
}

std::vector<fs::path> checkpoints() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(kFolder))
    if (entry.is_directory()) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

TEST(EarlierCheckpoints, AreThere) {
  std::vector<std::string> names;
  for (const fs::path& path : checkpoints()) names.push_back(path.filename());
  EXPECT_THAT(names, ElementsAre("version-2"));
}

TEST(EarlierCheckpoints, AreOpenedAndResumed) {
  const Folder folder("earlier");
  ASSERT_EQ(train_nano(folder / "straight").code, 0);
  for (const fs::path& earlier : checkpoints()) {
    const fs::path run_directory = folder / earlier.filename();
    fs::create_directories(run_directory / "checkpoints");
    fs::copy(earlier, checkpoint(run_directory, 3));
    const Output again = train_nano(run_directory);
    EXPECT_EQ(again.code, 0) << again.all();
    EXPECT_THAT(again.err, HasSubstr("resumed from step 3, 6 samples seen"));
    const auto straight = numbers_of(folder / "straight", "loss");
    const auto losses = numbers_of(run_directory, "loss");
    ASSERT_EQ(straight.size(), 6u);
    ASSERT_EQ(losses.size(), 3u) << earlier.filename();
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(losses[i], straight[i + 3], 1e-4 * straight[i + 3]);
    EXPECT_TRUE(fs::exists(checkpoint(run_directory, 6) / io::kManifestName));
  }
}

TEST(EarlierCheckpoints, AreInspected) {
  for (const fs::path& earlier : checkpoints()) {
    const Output output = run({"inspect", earlier.string()});
    EXPECT_EQ(output.code, 0) << output.all();
    EXPECT_THAT(output.out, HasSubstr("step           3"));
  }
}

}  // namespace
}  // namespace lynceus::cli_test
