// The sequence of samples, their wordings and their crops is the same on every grid of up to eight
// ranks, with any number of decode threads, and from any step that a run resumes from.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "core/random.h"
#include "io/dataset/shard_writer.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"
#include "parallel/agreement.h"
#include "parallel/mpi_session.h"
#include "tests/train/all_grids.h"
#include "tests/train/tiny_model.h"
#include "train/data/sample_lines.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

constexpr int kSteps = 6;
constexpr int64_t kBatch = 7;  // divisible by no number of replicas except 1 and 7

const fs::path kRoot = LYNCEUS_SOURCE_DIR;

/// An image so large that all its crops differ.
std::string picture(uint64_t number) {
  const CounterRandom random(number, "picture");
  const int width = 40 + static_cast<int>(random.below(0, 30)), height = 50;
  std::vector<uint8_t> rgb(static_cast<size_t>(width * height * 3));
  for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<uint8_t>(random.bits(1 + i));
  return io::encode_jpeg({width, height, std::move(rgb)}, 90);
}

/// Captions without questions; questions about images, about videos and without media.
void write_shards(const fs::path& folder) {
  uint64_t number = 0;
  for (const auto& [name, media, asked] :
       std::vector<std::tuple<std::string, int, bool>>{{"captions", 1, false},
                                                       {"questions", 1, true},
                                                       {"videos", 3, true},
                                                       {"texts", 0, true}}) {
    io::ShardWriter writer(folder / (name + ".h5"),
                           {.task = name, .source = "test", .created_by = "test"});
    for (int i = 0; i < 5; ++i) {
      io::Sample sample{.key = fmt::format("{}-{}", name, i),
                        .kind = io::MediaKind::kFrames,
                        .media = {},
                        .turns = {{io::TurnRole::kAssistant, "yes"}}};
      if (asked) sample.turns.insert(sample.turns.begin(), {io::TurnRole::kUser, "is it so?"});
      for (int m = 0; m < media; ++m) sample.media.push_back(picture(number++));
      writer.add(sample);
    }
    writer.close();
  }
}

class SampleOrder : public testing::Test {
 protected:
  void SetUp() override {
    world_ = parallel::make_world();
    const fs::path folder = testing::TempDir();
    parallel::agree(*world_, [&] {
      if (world_->rank() == 0) write_shards(folder);
    });
    for (const char* name : {"captions", "questions", "videos", "texts"})
      datasets_.emplace_back(name, (folder / (std::string(name) + ".h5")).string());
    for (const char* family : {"caption", "vqa", "video", "instruction"})
      lists_.push_back(
          io::PromptList::load(kRoot / "configs/prompts" / (std::string(family) + ".txt")));
    model_.llm.vocab_size = tokenizer_.size() + 1;
  }

  /// The lines of the steps after `first`, as in the trainer. On rank 0 of the group.
  std::string lines(std::unique_ptr<parallel::Communicator> group, const parallel::GridShape& shape,
                    int threads, int first) const {
    const Runtime rt{Stream(), parallel::make_grid(shape, std::move(group))};
    std::vector<const io::Dataset*> datasets;
    std::vector<DatasetPrompts> prompts;
    std::vector<MixtureDataset> mixed;
    for (size_t i = 0; i < datasets_.size(); ++i) {
      datasets.push_back(&datasets_[i]);
      prompts.push_back({&lists_[i]});
      mixed.push_back({datasets_[i].name(), 1 + 0.1 * static_cast<double>(i), datasets_[i].size()});
    }
    Mixture mixture(std::move(mixed), kSeed);
    mixture.seek(first * kBatch);
    BatchLoader loader(rt, model_, datasets,
                       {&tokenizer_, io::PromptStyle::load(kRoot / "configs/prompts/lynx.ini"),
                        prompts, 512, kSeed},
                       {60, 2}, {.image_size = 28, .augment = true, .seed = kSeed}, threads);
    TrainingData batches(&loader, std::move(mixture), kBatch, 2);
    std::string all;
    for (int step = first + 1; step <= kSteps; ++step) {
      const PreparedStep prepared = batches.next();
      batches.begin_next();
      EXPECT_EQ(prepared.batch.damaged_samples, 0);
      all += sample_lines(rt, step, prepared, datasets);
    }
    return all;
  }
  std::string alone(int threads, int first) const {
    return lines(parallel::make_self_communicator(), {}, threads, first);
  }
  /// The part of a table for steps later than `first`.
  static std::string tail(const std::string& table, int first) {
    return first == 0 ? table : table.substr(table.find(fmt::format("\n{}\t", first + 1)) + 1);
  }

  static constexpr uint64_t kSeed = 11;
  std::unique_ptr<parallel::Communicator> world_;
  std::vector<io::Dataset> datasets_;
  std::vector<io::PromptList> lists_;
  model::ModelConfig model_ = tiny::config();
  const io::Tokenizer tokenizer_{kRoot / "tests/data/tokenizer/test_model.model"};
};

TEST_F(SampleOrder, IsTheSameFromAnyStepWithAnyThreads) {
  const std::string all = alone(1, 0);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), kSteps * kBatch);
  const int first = world_->rank() % kSteps;  // each rank tries another one
  for (const int threads : {1, 2, 5}) EXPECT_EQ(alone(threads, first), tail(all, first)) << first;
}

TEST_F(SampleOrder, SamplesComeAgainWithOtherWordingsAndCrops) {
  // 5 samples per dataset, and 42 samples in all: keys recur, lines do not.
  std::istringstream table(alone(2, 0));
  std::map<std::string, std::set<std::string>> tokens, pixels;
  std::string step, index, dataset, key, digest, picture;
  while (table >> step >> index >> dataset >> key >> digest >> picture) {
    tokens[key].insert(digest);
    if (picture != "-") pixels[key].insert(picture);
    EXPECT_EQ(picture == "-", dataset == "texts");
  }
  EXPECT_EQ(tokens.size(), 20u);
  EXPECT_GE(tokens.at("texts-0").size(), 2u);
  EXPECT_GE(pixels.at("videos-0").size(), 2u);
}

TEST_F(SampleOrder, IsTheSameOnEveryGrid) {
  const std::string expected = alone(1, 0);
  int number = 0;
  for (const std::vector<tiny::Seat>& round : tiny::rounds_of_all_grids()) {
    int color = static_cast<int>(round.size()), threads = 1, first = 0;
    parallel::GridShape shape;
    for (size_t i = 0; i < round.size(); ++i, ++number) {
      const tiny::Seat& seat = round[i];
      if (world_->rank() < seat.first_rank ||
          world_->rank() >= seat.first_rank + seat.shape.world())
        continue;
      color = static_cast<int>(i);
      shape = seat.shape;
      threads = 1 + number % 3;
      first = number % kSteps;
    }
    auto group = parallel::split(*world_, color, world_->rank());
    if (color == static_cast<int>(round.size())) continue;
    SCOPED_TRACE(fmt::format("{}, {} threads, from step {}", shape.to_string(), threads, first));
    const bool speaks = group->rank() == 0;
    const std::string found = lines(std::move(group), shape, threads, first);
    EXPECT_EQ(found, speaks ? tail(expected, first) : "");
  }
  EXPECT_EQ(number, 38) << "not all grids of up to eight ranks";
}

}  // namespace
}  // namespace lynceus::train
