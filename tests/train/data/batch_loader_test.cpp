// From dataset shards to prepared steps: the replica of each sample, its media and tokens, the
// effects of damage and truncation, and the order of batches.
#include "train/data/batch_loader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "core/random.h"
#include "io/dataset/shard_writer.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"
#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kRoot = LYNCEUS_SOURCE_DIR;

std::vector<PlannedSample> planned_with(const std::vector<double>& costs) {
  std::vector<PlannedSample> samples(costs.size());
  for (size_t i = 0; i < costs.size(); ++i) samples[i].cost = costs[i];
  return samples;
}

TEST(AssignReplicas, GivesTheLargestFirstToTheReplicaWithTheLeastWork) {
  double imbalance = 0;
  EXPECT_THAT(assign_replicas(planned_with({3, 1, 1, 1, 5}), 2, &imbalance),
              ElementsAre(1, 1, 1, 0, 0));
  EXPECT_DOUBLE_EQ(imbalance, 6 / 5.5);
  EXPECT_THAT(assign_replicas(planned_with({1, 1, 1, 1, 1}), 2), ElementsAre(0, 1, 0, 1, 0));
  EXPECT_THAT(assign_replicas(planned_with({2, 2}), 4), ElementsAre(0, 1)) << "two have none";
  EXPECT_TRUE(assign_replicas({}, 3, &imbalance).empty());
  EXPECT_EQ(imbalance, 1) << "no work is spread evenly";
}

TEST(AssignReplicas, NoneHasMoreThanTheMeanPlusTheLargest) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const CounterRandom random(seed, "costs");
    std::vector<double> costs;
    for (uint64_t i = 0; i < 1 + random.below(0, 30); ++i) costs.push_back(random.uniform(1 + i));
    for (int replicas = 1; replicas <= 8; ++replicas) {
      std::vector<double> load(static_cast<size_t>(replicas), 0);
      const std::vector<int> replica_of = assign_replicas(planned_with(costs), replicas);
      ASSERT_EQ(replica_of.size(), costs.size());
      for (size_t i = 0; i < costs.size(); ++i)
        load.at(static_cast<size_t>(replica_of[i])) += costs[i];
      const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
      EXPECT_LE(*std::max_element(load.begin(), load.end()),
                total / replicas + *std::max_element(costs.begin(), costs.end()) + 1e-12);
    }
  }
}

class BatchLoaderTest : public testing::Test {
 protected:
  enum : int64_t { kImage, kText, kVideo, kImages, kDamaged, kLong, kCaption, kAnswer };

  void SetUp() override {
    const fs::path file = fs::path(testing::TempDir()) / "pipeline.h5";
    const std::string picture = io::encode_jpeg({8, 8, std::vector<uint8_t>(8 * 8 * 3, 90)}, 90);
    std::string question;
    for (int i = 0; i < 60; ++i) question += "what stands beside the table? ";
    io::ShardWriter writer(file, {.task = "t", .source = "test", .created_by = "test"});
    const auto add = [&](const std::string& key, io::MediaKind kind,
                         const std::vector<std::string>& media, const std::string& asked) {
      writer.add({.key = key,
                  .kind = kind,
                  .media = media,
                  .turns = {{io::TurnRole::kUser, asked}, {io::TurnRole::kAssistant, "a cat"}}});
    };
    add("image", io::MediaKind::kFrames, {picture}, "what is it?");
    add("text", io::MediaKind::kFrames, {}, "what is it?");
    add("video", io::MediaKind::kFrames, {picture, picture, picture}, "what is it?");
    add("images", io::MediaKind::kSeparateImages, {picture, picture}, "what is it?");
    add("damaged", io::MediaKind::kFrames, {"no picture"}, "what is it?");
    add("long", io::MediaKind::kFrames, {}, question);
    const std::vector<io::Turn> answer = {{io::TurnRole::kAssistant, "a cat"}};
    writer.add({.key = "caption", .media = {picture}, .turns = answer});
    writer.add({.key = "answer", .media = {}, .turns = answer});
    writer.close();
    dataset_ = std::make_unique<io::Dataset>("set", file.string());
    model_.llm.vocab_size = tokenizer_.size() + 1;
  }

  BatchLoader loader(int64_t max_tokens = 512) {
    return {
        rt_,
        model_,
        {dataset_.get()},
        {&tokenizer_, io::PromptStyle::load(kRoot / "configs/prompts/plain.ini"), {}, max_tokens},
        {4096, 0},
        {.image_size = static_cast<int>(model_.vision.image_size)},
        2};
  }
  static std::vector<PlannedSample> plan(const BatchLoader& loader,
                                         const std::vector<int64_t>& samples) {
    std::vector<PlannedSample> planned;
    for (const int64_t sample : samples)
      planned.push_back(
          loader.plan_sample(100 + static_cast<int64_t>(planned.size()), {0, sample}));
    return planned;
  }
  static int64_t scored(const SampleInput& sample) {
    return std::count(sample.scored.begin(), sample.scored.end(), 1);
  }

  const Runtime rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
  model::ModelConfig model_ = tiny::config();
  const io::Tokenizer tokenizer_{kRoot / "tests/data/tokenizer/test_model.model"};
  std::unique_ptr<io::Dataset> dataset_;
};

TEST_F(BatchLoaderTest, PlansMediaFromHeadersAlone) {
  const BatchLoader loader = this->loader();
  const auto planned = plan(loader, {kImage, kText, kVideo, kImages});
  EXPECT_THAT(planned[0].item_frames, ElementsAre(1));
  EXPECT_THAT(planned[1].item_frames, ElementsAre());
  EXPECT_THAT(planned[2].item_frames, ElementsAre(3));
  EXPECT_THAT(planned[3].item_frames, ElementsAre(1, 1));
  for (const PlannedSample& sample : planned)
    EXPECT_EQ(sample.is_video, sample.sample == kVideo) << sample.sample;
  EXPECT_GT(planned[2].cost, planned[0].cost);
  EXPECT_GT(planned[3].cost, planned[0].cost);
  EXPECT_GT(planned[0].cost, planned[1].cost);
}

TEST_F(BatchLoaderTest, AListForCaptionsLeavesQuestionsAndTextsAlone) {
  const io::PromptList list({"Describe it.", "Look: {text}"});
  const auto first_turns = [&](bool captions_only) {
    const BatchLoader loader(rt_, model_, {dataset_.get()},
                             {&tokenizer_,
                              io::PromptStyle::load(kRoot / "configs/prompts/plain.ini"),
                              {{&list, captions_only}}},
                             {4096, 0}, {.image_size = static_cast<int>(model_.vision.image_size)},
                             1);
    std::vector<std::string> texts;
    for (const PlannedSample& sample : plan(loader, {kImage, kText, kCaption, kAnswer}))
      texts.push_back(loader.turns(sample).front().text);
    return texts;
  };
  EXPECT_THAT(first_turns(true),
              ElementsAre("what is it?", "what is it?", "Describe it.", "a cat"));
  EXPECT_THAT(first_turns(false), ElementsAre("Look: what is it?", "Look: what is it?",
                                              "Describe it.", "Describe it."));
}

TEST_F(BatchLoaderTest, GivesBatchesInOrderWithTheMediaTheyName) {
  BatchLoader loader = this->loader();
  loader.begin(plan(loader, {kText, kVideo, kImage}));
  loader.begin(plan(loader, {kText}));
  const PreparedStep first = loader.finish();
  ASSERT_EQ(first.samples.size(), 3u);
  EXPECT_FALSE(first.pixels[0].defined());
  const int64_t side = model_.vision.image_size;
  EXPECT_EQ(first.pixels[1].shape(), (Shape{3, 3, side, side}));
  EXPECT_EQ(first.pixels[2].shape(), (Shape{1, 3, side, side}));
  EXPECT_EQ(first.batch.samples[1].index, 1) << "the position in the global batch";
  EXPECT_EQ(first.samples[1].index, 101) << "the place in the run";
  EXPECT_TRUE(first.reach.any_sample && first.reach.any_media && first.reach.any_video);
  const PreparedStep second = loader.finish();
  EXPECT_TRUE(second.reach.any_sample);
  EXPECT_FALSE(second.reach.any_media || second.reach.any_video);
  EXPECT_EQ(second.batch.damaged_samples, 0);
}

TEST_F(BatchLoaderTest, DamageRemovesOnlyTheScores) {
  BatchLoader loader = this->loader();
  loader.begin(plan(loader, {kImage, kDamaged}));
  const PreparedStep step = loader.finish();
  EXPECT_EQ(step.batch.damaged_samples, 1);
  ASSERT_EQ(step.damaged.size(), 1u);
  EXPECT_EQ(step.damaged[0].index, 101);
  EXPECT_THAT(step.damaged[0].reason, HasSubstr("damaged"));
  EXPECT_GT(scored(step.batch.samples[0]), 0);
  EXPECT_EQ(scored(step.batch.samples[1]), 0);
  EXPECT_EQ(step.batch.samples[1].token_ids, step.batch.samples[0].token_ids);
  EXPECT_EQ(step.batch.micro_batches[0].scored(), scored(step.batch.samples[0]));
  EXPECT_TRUE(step.pixels[1].defined());
}

TEST_F(BatchLoaderTest, CutTokensAreCountedAndTheQuestionsHeadIsKept) {
  BatchLoader whole = this->loader(1 << 20), short_one = this->loader(40);
  whole.begin(plan(whole, {kLong, kText}));
  short_one.begin(plan(short_one, {kLong, kText}));
  const PreparedStep all = whole.finish(), cut = short_one.finish();
  EXPECT_EQ(all.batch.cut_tokens, 0);
  const auto& long_ids = all.batch.samples[0].token_ids;
  const auto& cut_ids = cut.batch.samples[0].token_ids;
  ASSERT_GT(long_ids.size(), 100u);
  EXPECT_LE(cut_ids.size(), 40u);
  EXPECT_EQ(cut.batch.cut_tokens, static_cast<int64_t>(long_ids.size() - cut_ids.size()));
  // The complete answer fits, so the end of the question is cut off.
  const int64_t answer = scored(all.batch.samples[0]);
  EXPECT_EQ(scored(cut.batch.samples[0]), answer);
  EXPECT_EQ(std::vector<int32_t>(cut_ids.end() - answer, cut_ids.end()),
            std::vector<int32_t>(long_ids.end() - answer, long_ids.end()));
  const int64_t head = static_cast<int64_t>(cut_ids.size()) - answer - 4;  // the template's end
  ASSERT_GT(head, 20);
  EXPECT_TRUE(std::equal(cut_ids.begin(), cut_ids.begin() + head, long_ids.begin()));
  EXPECT_EQ(cut.batch.samples[1].token_ids, all.batch.samples[1].token_ids);
}

}  // namespace
}  // namespace lynceus::train
