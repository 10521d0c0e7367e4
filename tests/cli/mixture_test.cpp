// A stage of the paper with only some datasets of its mixture: existing ones are used and logged,
// missing ones are named and left out. No dataset may change unnoticed between starts or ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "run_program.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MixtureTest : public testing::Test {
 protected:
  void SetUp() override {
    put("train-captions", "coco_caption.h5");
    put("train-Color", "vqa_v2/colors.h5");
    put("train-Counting", "vqa_v2/counts.h5");
  }
  /// Copies a shard of the shapes corpus into the directory.
  void put(const std::string& name, const std::string& file) const {
    const fs::path to = root_ / file;
    fs::create_directories(to.parent_path());
    for (const char* end : {"", ".xxh"}) fs::copy_file(shard(name) + end, to.string() + end);
  }
  void remove(const std::string& file) const {
    for (const char* end : {"", ".xxh"}) fs::remove((root_ / file).string() + end);
  }
  /// The first stage of the paper, in small.
  Arguments arguments(const std::string& name, const Arguments& more = {}) const {
    const std::string tree = LYNCEUS_SOURCE_DIR;
    return Arguments{"train",
                     "--config",
                     tree + "/tests/data/micro.ini",
                     "--config",
                     tree + "/configs/stage/pretrain-224.ini",
                     "--vision.image_size",
                     "28",
                     "--train.steps",
                     "6",
                     "--train.global_batch_size",
                     "8",
                     "--data.tokenizer",
                     shapes_data() / "tokenizer.model",
                     "--data.root",
                     root_,
                     "--log.samples",
                     "--run",
                     folder_ / name} +
           more;
  }
  Output start(const std::string& name, const Arguments& more = {}, int ranks = 0) const {
    return run(arguments(name, more), {.ranks = ranks});
  }
  void expect_refused(const std::string& name, const Arguments& more, int code,
                      const std::vector<std::string>& messages) const {
    for (const int ranks : {0, 2}) {
      const Output output = start(name, more, ranks);
      EXPECT_EQ(output.code, code) << output.all();
      EXPECT_EQ(output.messages(), 1) << output.all();
      for (const std::string& message : messages) EXPECT_THAT(output.err, HasSubstr(message));
    }
  }
  std::vector<std::string> samples(const std::string& name) const {
    return lines_of(folder_ / name / "samples.tsv");
  }

  const Folder folder_{"mixture"};
  const fs::path root_ = folder_ / "corpora";
};

TEST_F(MixtureTest, TrainsWithWhatIsThereAndSaysWhatIsNot) {
  const Output output = start("run");
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(
      output.err,
      HasSubstr("samples from coco_caption 9.42 % (caption), vqa_v2 90.6 % (vqa); 28 "
                "missing and left out: blip_capfilt, cc12m, cc3m, sbu, textcaps, cuhk_pedes"));
  std::map<std::string, int> counts;
  for (const std::string& line : samples("run")) {
    const size_t dataset = line.find('\t', line.find('\t') + 1) + 1;
    ++counts[line.substr(dataset, line.find('\t', dataset) - dataset)];
  }
  EXPECT_EQ(counts, (std::map<std::string, int>{{"coco_caption", 5}, {"vqa_v2", 43}}));
  const io::Manifest manifest = io::read_manifest(checkpoint(folder_ / "run", 6));
  EXPECT_EQ(manifest.datasets.size(), 2u);
  EXPECT_THAT(manifest.config, testing::IsSupersetOf(
                                   {testing::Pair("data.mixture", std::string("sbu:2.987:caption")),
                                    testing::Pair("data.root", root_.string()),
                                    testing::Pair("data.prompts", std::string("diverse"))}));
  EXPECT_THAT(
      io::read_text(folder_ / "run" / "config.ini"),
      testing::ContainsRegex("mixture = coco_caption:0.287:caption +# .*pretrain-224.ini:"));
}

TEST_F(MixtureTest, StrictOrEmptyIsRefused) {
  expect_refused("run", {"--data.missing", "refuse"}, 3,
                 {"data.missing = refuse: 28 of 30 datasets of data.mixture are missing in ",
                  "corpora: blip_capfilt, cc12m"});
  expect_refused("run", {"--data.root", folder_.path()}, 3,
                 {"data.root: none of the 30 datasets of data.mixture is in ",
                  "expected for example ", "mixture/blip_capfilt/*.h5"});
  expect_refused("run", {"--data.root="}, 2,
                 {"data.source: expected at least one dataset, found none; data.root"});
  // A single source is never left out.
  expect_refused("run", {"--data.source", "mine:1:nowhere/*.h5"}, 3,
                 {"data.source: dataset mine: expected files that match nowhere/*.h5, found none"});
  expect_refused("run", {"--data.mixture", "vqa_v2:1:riddles"}, 2,
                 {"data.mixture vqa_v2: no file 'riddles'; looked for "});
}

TEST_F(MixtureTest, WhatAppearsOrVanishesIsRefusedOnResume) {
  ASSERT_EQ(start("run", {"--stop-after", "2"}).code, 0);
  put("train-Spatial", "gqa.h5");
  const std::string appeared =
      "data.source gqa: the checkpoint was trained without it, this run has it";
  expect_refused("run", {}, 3, {"cannot resume from step 2", appeared});
  remove("coco_caption.h5");
  expect_refused(
      "run", {}, 3,
      {appeared,
       "data.source coco_caption: the checkpoint was trained with it, this run does not have it"});
  put("train-captions", "coco_caption.h5");
  remove("gqa.h5");
  remove("vqa_v2/counts.h5");
  expect_refused("run", {}, 3, {"data.source vqa_v2: the checkpoint has "});
  expect_refused("run", {"--data.prompts", "single"}, 2,
                 {"data.prompts: the checkpoint has diverse, this run single"});
  put("train-Counting", "vqa_v2/counts.h5");
  // The same data in another directory is the same dataset.
  const fs::path moved = folder_ / "moved";
  fs::rename(root_, moved);
  const Output again = start("run", {"--data.root", moved, "--stop-after", "4"});
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.err, HasSubstr("resumed from step 2"));
  fs::rename(moved, root_);
  remove("coco_caption.h5");
  const Output allowed = start("run", {"--allow-change", "data.mixture"});
  EXPECT_EQ(allowed.code, 0) << allowed.all();
  EXPECT_THAT(allowed.err, AllOf(HasSubstr("resumed from step 4"),
                                 HasSubstr("samples from vqa_v2 100 % (vqa); 29 missing")));
}

TEST_F(MixtureTest, RanksThatSeeOtherFilesAreRefused) {
  fs::copy(root_, folder_ / "other", fs::copy_options::recursive);
  fs::remove_all(folder_ / "other" / "vqa_v2");
  const Output output = run(
      arguments("run"),
      {.shell = fmt::format("exec mpirun --oversubscribe -n 1 \"$@\" : -n 1 \"$@\" --data.root {}",
                            (folder_ / "other").string())});
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_EQ(output.messages(), 1) << output.all();
  EXPECT_THAT(output.err, HasSubstr("ranks differ: rank 0 has 'data.source vqa_v2\t"));
}

TEST_F(MixtureTest, SamplesDependNeitherOnTheGridNorOnResumes) {
  ASSERT_EQ(start("straight").code, 0);
  const std::vector<std::string> straight = samples("straight");
  ASSERT_EQ(straight.size(), 48u);
  ASSERT_EQ(start("stopped", grid(2, 2, 1) + Arguments{"--stop-after", "1"}, 4).code, 0);
  ASSERT_EQ(start("stopped",
                  grid(1, 1, 3) + Arguments{"--stop-after", "4", "--data.loader_threads", "3"}, 3)
                .code,
            0);
  // Read before the next start removes the lines of these replicas.
  EXPECT_EQ(samples("stopped"),
            std::vector<std::string>(straight.begin(), straight.begin() + 4 * 8));
  // Back to an older step: its lines are written again, once.
  const Output last = start("stopped", grid(1, 2, 1) + Arguments{"--resume", "1"}, 2);
  ASSERT_EQ(last.code, 0) << last.all();
  EXPECT_EQ(samples("stopped"), straight);
  EXPECT_THAT(last.err,
              testing::ContainsRegex("balance over 5 steps: the busiest replica had 1.000 times "
                                     "the mean work, the busiest rank [12].[0-9]+ times the mean "
                                     "number of patch features"));

  ASSERT_EQ(start("single", {"--data.prompts", "single"}).code, 0);
  const std::vector<std::string> single = samples("single");
  ASSERT_EQ(single.size(), 48u);
  int differ = 0;
  for (size_t i = 0; i < single.size(); ++i) differ += single[i] != straight[i];
  EXPECT_GT(differ, 20) << "diverse prompts are no others than single ones";
}

}  // namespace
}  // namespace lynceus::cli_test
