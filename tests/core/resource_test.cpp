// Configs that come with the program are found by name.
#include "core/resource.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "core/config/config.h"
#include "core/error.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(FindConfig, TakesNamesWithAndWithoutFolderAndEnding) {
  for (const char* name : {"tiny", "tiny.ini", "model/tiny", "model/tiny.ini"})
    EXPECT_TRUE(
        fs::equivalent(find_config(name), fs::path(LYNCEUS_SOURCE_DIR) / "configs/model/tiny.ini"))
        << name;
  EXPECT_EQ(find_config("pretrain-224").filename(), "pretrain-224.ini");
  EXPECT_EQ(find_config("stage/pretrain-224").filename(), "pretrain-224.ini");
}

TEST(FindConfig, AFileComesBeforeAShippedConfig) {
  const std::string file = testing::TempDir() + "tiny";
  std::ofstream(file) << "[model]\n";
  EXPECT_EQ(find_config(file), file);
  // Templates are no configs.
  for (const char* name : {"lynx", "prompts", "none", ""}) EXPECT_EQ(find_config(name), name);
}

TEST(ShippedConfigs, AreListedByFolder) {
  EXPECT_THAT(shipped_configs(), AllOf(Contains("model/lynx-7b"), Contains("stage/finetune-420"),
                                       Each(Not(HasSubstr("prompts")))));
  EXPECT_THAT(shipped_configs("stage"),
              AllOf(Contains("stage/pretrain-420"), Each(StartsWith("stage/"))));
}

TEST(ShippedConfigs, AreNamedWhereANameIsUnknown) {
  ConfigReader reader;
  try {
    reader.read({"--config", "tinny"});
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(StartsWith("tinny: config file cannot be read: "),
                                    HasSubstr("did you mean tiny? The shipped configs are "),
                                    HasSubstr("stage/pretrain-224")));
  }
}

}  // namespace
}  // namespace lynceus
