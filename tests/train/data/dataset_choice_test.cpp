// Lines that name datasets; the datasets of a mixture that exist in a folder; the shipped mixtures,
// whose weights add up to 100 and whose families all have a list.
#include "train/data/dataset_choice.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "core/config/config.h"
#include "core/error.h"
#include "io/files/file_pattern.h"
#include "io/text/prompt.h"
#include "model/config.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

const fs::path kRoot = LYNCEUS_SOURCE_DIR;

class Sources : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_);
    config_.root = root_;
  }
  void TearDown() override { fs::remove_all(root_); }

  void touch(const std::string& file) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << "x";
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const DatasetLine& line : choose_datasets(config_).present) names.push_back(line.name);
    return names;
  }
  std::vector<std::string> files(size_t line) const {
    std::vector<std::string> files;
    for (const auto& file : io::files_matching(choose_datasets(config_).present.at(line).pattern))
      files.push_back(fs::path(file).lexically_relative(root_));
    return files;
  }

  const fs::path root_ = fs::path(testing::TempDir()) / "sources, {all} of them";
  DataConfig config_;
};

TEST_F(Sources, APathOfAMixtureThatExistsIsThatPath) {
  for (const char* file : {"[v1]/x.h5", "v/x.h5"}) touch(file);
  config_.mixture = {"a:1:caption:[v1]/x.h5", "b:1:caption:[v1]/*.h5", "c:1:caption:[v]/x.h5"};
  EXPECT_THAT(files(0), ElementsAre("[v1]/x.h5"));
  EXPECT_THAT(files(1), ElementsAre("[v1]/x.h5"));
  EXPECT_THAT(files(2), ElementsAre("v/x.h5"));
}

TEST_F(Sources, AMixtureTakesTheDatasetsThatExist) {
  for (const char* file : {"coco.h5", "coco-1.h5", "coco-12.h5", "coco-validation.h5",
                           "coco-1-validation.h5", "coco-2a.h5", "cocoa.h5", "cc3m/00000.h5",
                           "cc3m/00001.h5", "cc3m/notes.txt", "odd/deep/x.h5"})
    touch(file);
  config_.mixture = {"coco:3:caption", "sbu:1:caption", "cc3m:1", "deep:2:vqa:odd/*/x.h5"};
  const ChosenDatasets chosen = choose_datasets(config_);
  EXPECT_THAT(names(), ElementsAre("coco", "cc3m", "deep"));
  EXPECT_THAT(chosen.absent, ElementsAre("sbu"));
  EXPECT_EQ(chosen.present[0].weight, 3);
  EXPECT_EQ(chosen.present[0].family, "caption");
  EXPECT_EQ(chosen.present[1].family, "");
  EXPECT_THAT(files(0), ElementsAre("coco-1.h5", "coco-12.h5", "coco.h5"));
  EXPECT_THAT(files(1), ElementsAre("cc3m/00000.h5", "cc3m/00001.h5"));
  EXPECT_THAT(files(2), ElementsAre("odd/deep/x.h5"));

  config_.missing = "refuse";
  EXPECT_THAT([&] { choose_datasets(config_); },
              ThrowsMessage<InputError>(HasSubstr("data.missing = refuse: 1 of 4 datasets of "
                                                  "data.mixture are missing in ")));
  touch("sbu.h5");
  EXPECT_TRUE(choose_datasets(config_).absent.empty());
}

TEST_F(Sources, SingleOnesJoinAMixtureOrReplaceALine) {
  touch("coco.h5");
  config_.mixture = {"coco:3:caption", "sbu:1:caption"};
  config_.sources = {"mine:0.5:elsewhere/*.h5", "sbu:2:there/sbu.h5"};
  const ChosenDatasets chosen = choose_datasets(config_);
  EXPECT_THAT(names(), ElementsAre("coco", "mine", "sbu"));
  EXPECT_TRUE(chosen.absent.empty());
  EXPECT_EQ(chosen.present[1].pattern, "elsewhere/*.h5") << "a missing one is an error when opened";
  EXPECT_EQ(chosen.present[2].weight, 2);
  config_.root = "";
  EXPECT_THAT(names(), ElementsAre("mine", "sbu")) << "without a root no mixture";
}

TEST_F(Sources, NoDatasetIsRefused) {
  const auto refused = [&](auto type, const std::string& message) {
    EXPECT_THAT([&] { choose_datasets(config_); },
                ThrowsMessage<decltype(type)>(HasSubstr(message)));
  };
  refused(UsageError(""),
          "data.root: expected data.mixture to name datasets in this folder, found none");
  config_.mixture = {"coco:3:caption", "sbu:1:caption"};
  refused(InputError(""), "data.root: none of the 2 datasets of data.mixture is in ");
  refused(InputError(""), "/coco.h5 or ");
  config_.root = root_ / "absent";
  refused(InputError(""), "data.root: expected a folder, found none: ");
  config_.root = "";
  refused(UsageError(""), "expected at least one dataset, found none; data.root, the folder");
  config_.mixture.clear();
  EXPECT_THAT([&] { choose_datasets(config_); },
              ThrowsMessage<UsageError>(Not(HasSubstr("data.root"))));
}

TEST_F(Sources, WrongLinesAreNamed) {
  const auto refused = [&](const std::string& line, const std::string& message) {
    config_.mixture = {"coco:1:caption", line};
    EXPECT_THAT([&] { parse_mixture(config_); }, ThrowsMessage<UsageError>(HasSubstr(message)));
  };
  refused("coco", "data.mixture: expected NAME:WEIGHT:FAMILY or NAME:WEIGHT:FAMILY:GLOB, found");
  refused(":1:caption", "found ':1:caption'");
  refused("../coco:1:caption", "found '../coco:1:caption'");
  refused("sbu:much:caption", "data.mixture sbu: expected a positive weight, found 'much'");
  refused("sbu:-1:caption", "data.mixture sbu: expected a positive weight, found '-1'");
  refused("coco:2:vqa", "data.mixture: two datasets are named 'coco'");
}

TEST_F(Sources, FamiliesComeFromTheMixtureOrTheShardsTask) {
  config_.mixture = {"coco:1:caption", "plain:1"};
  const auto family = [&](const std::string& name, const std::string& task) {
    return prompt_family(parse_mixture(config_), name, task);
  };
  EXPECT_EQ(family("coco", "vqa"), "caption");
  EXPECT_EQ(family("plain", "ocr"), "ocr");
  EXPECT_EQ(family("other", "dialogue"), "dialogue");
  EXPECT_EQ(family("other", "Counting"), "");
  EXPECT_EQ(family("other", ""), "");
}

/// A file of configs/stage.
DataConfig shipped(const std::string& name) {
  DataConfig config;
  ConfigReader reader;
  model::ModelConfig model;
  TrainConfig train;
  OptimizerConfig optimizer;
  CheckpointConfig checkpoint;
  reader.add(config);
  reader.add(model);
  reader.add(train);
  reader.add(optimizer);
  reader.add(checkpoint);
  reader.read_file(kRoot / "configs/stage" / (name + ".ini"));
  reader.check();
  return config;
}

TEST(ShippedMixtures, AddUpToAHundred) {
  for (const auto& [name, count] :
       std::vector<std::pair<std::string, size_t>>{{"pretrain-224", 30}, {"finetune-420", 32}}) {
    const std::vector<DatasetLine> lines = parse_mixture(shipped(name));
    EXPECT_EQ(lines.size(), count) << name;
    double sum = 0, text = 0, video = 0;
    for (const DatasetLine& line : lines) {
      sum += line.weight;
      if (line.family == "instruction" || line.name == "baize") text += line.weight;
      if (line.family == "video") video += line.weight;
    }
    EXPECT_NEAR(sum, 100, 0.01) << name;
    EXPECT_NEAR(text, name == "finetune-420" ? 30 : 0, 1e-6);
    EXPECT_NEAR(video, name == "finetune-420" ? 15 : 0, 1e-6);
  }
  EXPECT_EQ(shipped("pretrain-420").mixture, shipped("pretrain-224").mixture);
}

TEST(ShippedMixtures, EveryFamilyHasWordingsForWhatItsSamplesAre) {
  for (const std::string_view family : io::kPromptFamilies) {
    const io::PromptList list =
        io::PromptList::load(kRoot / "configs/prompts" / (std::string(family) + ".txt"));
    EXPECT_GE(list.size(), 8u) << family;
    EXPECT_EQ(*list.first_only().pick(true, 1, 1), "{text}") << family << ": an unchanged question";
    EXPECT_EQ(list.pick(false, 1, 1) == nullptr, family == "vqa") << family << ": a bare answer";
  }
  for (const char* name : {"pretrain-224", "pretrain-420", "finetune-420"}) {
    const DataConfig config = shipped(name);
    EXPECT_EQ(config.prompts, "diverse");
    for (const DatasetLine& line : parse_mixture(config))
      EXPECT_THAT(io::kPromptFamilies, testing::Contains(line.family)) << line.name;
  }
}

}  // namespace
}  // namespace lynceus::train
