// From samples to micro-batches: rows, positions and targets; which samples share a micro-batch and
// a vision window; how media items are distributed to the ranks of a replica.
#include "train/data/replica_batch.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using testing::ElementsAre;
using tiny::Kind;

class ReplicaBatchTest : public testing::Test {
 protected:
  ReplicaBatch make(std::vector<SampleInput> samples, const BatchLimits& limits, int ranks = 1) {
    return make_replica_batch(rt_, config_, std::move(samples), limits, ranks);
  }

  static SampleInput text(std::vector<int32_t> ids, std::vector<uint8_t> scored) {
    SampleInput sample;
    sample.token_ids = std::move(ids);
    sample.scored = std::move(scored);
    return sample;
  }

  model::ModelConfig config_ = tiny::config();  // 3 latents
  Runtime rt_{Stream(), parallel::make_grid({}, parallel::make_self_communicator())};
};

TEST_F(ReplicaBatchTest, LaysVisualTokensInFrontAndShiftsTargets) {
  SampleInput image = text({10, 11, 12}, {1, 0, 1});
  image.item_frames = {1};
  image.index = 4;
  SampleInput plain = text({20, 21}, {1, 1});
  plain.index = 9;
  const ReplicaBatch replica = make({image, plain}, {100, 0});
  ASSERT_EQ(replica.micro_batches.size(), 1U);
  const model::PackedBatch& batch = replica.micro_batches[0];
  EXPECT_THAT(batch.token_ids.to_vector<int32_t>(), ElementsAre(-1, -1, -1, 10, 11, 12, 20, 21));
  EXPECT_THAT(batch.positions.to_vector<int32_t>(), ElementsAre(0, 1, 2, 3, 4, 5, 0, 1));
  EXPECT_THAT(batch.sequences.host, ElementsAre(0, 6, 8));
  EXPECT_THAT(batch.visual_rows.to_vector<int32_t>(), ElementsAre(0, 1, 2));
  // The last visual row predicts token 0; the first token of a plain text has no row before it.
  EXPECT_THAT(batch.scored_rows.to_vector<int32_t>(), ElementsAre(2, 4, 6));
  EXPECT_THAT(batch.scored_labels.to_vector<int32_t>(), ElementsAre(10, 12, 21));
  EXPECT_THAT(batch.sample_of_scored, ElementsAre(0, 0, 1));
  EXPECT_THAT(batch.samples, ElementsAre(4, 9));
}

TEST_F(ReplicaBatchTest, KeepsGivenPositions) {
  SampleInput padded = text({5, 6}, {1, 1});
  padded.item_frames = {1};
  padded.positions = {0, 1, 2, 7, 8};
  const ReplicaBatch replica = make({padded}, {100, 0});
  EXPECT_THAT(replica.micro_batches[0].positions.to_vector<int32_t>(), ElementsAre(0, 1, 2, 7, 8));
  padded.positions.pop_back();
  EXPECT_THROW(make({padded}, {100, 0}), InternalError);
}

TEST_F(ReplicaBatchTest, RefusesTokensThatNoRankHasARowFor) {
  SampleInput last = text({0, 66}, {1, 1});
  EXPECT_EQ(make({last}, {100, 0}).micro_batches.size(), 1U);
  for (const int32_t id : {-1, 67}) {
    SampleInput beyond = text({1, id}, {1, 0});
    beyond.index = 7;
    EXPECT_THAT(
        [&] {
          make({last, beyond}, {100, 0});
        },
        testing::ThrowsMessage<InternalError>(
            testing::HasSubstr(fmt::format("sample 7 has token id {}, expected 0..66", id))));
  }
}

TEST_F(ReplicaBatchTest, FillsMicroBatchesInOrderUpToTheLimit) {
  const SampleInput four = text({1, 2, 3, 4}, {1, 1, 1, 1});
  const auto sizes = [&](int64_t limit) {
    std::vector<int64_t> tokens;
    for (const model::PackedBatch& batch :
         make({four, four, four, four, four}, {limit, 0}).micro_batches)
      tokens.push_back(batch.tokens());
    return tokens;
  };
  EXPECT_THAT(sizes(20), ElementsAre(20));
  EXPECT_THAT(sizes(19), ElementsAre(16, 4));
  EXPECT_THAT(sizes(8), ElementsAre(8, 8, 4));
  EXPECT_THAT(sizes(3), ElementsAre(4, 4, 4, 4, 4)) << "a longer sample is alone";
  EXPECT_TRUE(make({}, {10, 0}).micro_batches.empty());
  EXPECT_TRUE(make({}, {10, 0}).windows.empty());
}

TEST_F(ReplicaBatchTest, WindowsCoverTheMicroBatchesOnce) {
  const tiny::Batch batch =
      tiny::make_batch(1, {Kind::kImage, Kind::kText, Kind::kVideo, Kind::kImages, Kind::kText,
                           Kind::kImage, Kind::kText});
  for (const int64_t vision_window : {0, 1, 2, 3, 100}) {
    const ReplicaBatch replica = make(batch.samples, {1, vision_window}, 3);
    ASSERT_EQ(replica.micro_batches.size(), 7U);
    int next = 0;
    size_t items = 0;
    for (const VisionWindow& window : replica.windows) {
      EXPECT_EQ(window.first_micro_batch, next);
      next += window.micro_batches;
      EXPECT_LE(window.micro_batches, vision_window == 0 ? 7 : vision_window);
      int64_t row = 0;
      for (const MediaItem& item : window.items) {
        EXPECT_GE(item.micro_batch, window.first_micro_batch);
        EXPECT_LT(item.micro_batch, next);
        EXPECT_EQ(item.visual_begin, row);
        EXPECT_EQ(item.visual_count, 3);
        row += item.visual_count;
        ++items;
      }
      EXPECT_EQ(window.visual_tokens, row);
    }
    EXPECT_EQ(next, 7);
    EXPECT_EQ(items, 5U);
  }
}

/// Checks which ranks encode the samples of a step: one rank per sample, none with too much.
void expect_fair_owners(const ReplicaBatch& replica, int ranks) {
  std::vector<double> frames(static_cast<size_t>(ranks), 0);
  std::map<int64_t, int> owner_of_sample;
  double total = 0, largest = 0;
  for (const SampleInput& sample : replica.samples)
    largest = std::max(largest, static_cast<double>(sample.frames()));
  for (const VisionWindow& window : replica.windows)
    for (const MediaItem& item : window.items) {
      frames.at(static_cast<size_t>(item.owner)) += static_cast<double>(item.frames);
      total += static_cast<double>(item.frames);
      EXPECT_EQ(owner_of_sample.emplace(item.sample, item.owner).first->second, item.owner)
          << "the media of a sample stays together";
    }
  EXPECT_LE(*std::max_element(frames.begin(), frames.end()), total / ranks + largest);
}

TEST_F(ReplicaBatchTest, NoRankHasMoreThanTheMeanPlusTheLargestSample) {
  const Kind kinds[] = {Kind::kImage, Kind::kText, Kind::kVideo, Kind::kImages};
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const CounterRandom random(seed, "kinds");
    std::vector<Kind> some;
    for (uint64_t i = 0; i < 1 + random.below(0, 20); ++i)
      some.push_back(kinds[random.below(i + 1, 4)]);
    const tiny::Batch batch = tiny::make_batch(seed, some);
    for (int ranks = 1; ranks <= 8; ++ranks)
      for (const int64_t vision_window : {0, 1, 2}) {
        SCOPED_TRACE(fmt::format("seed {}, {} ranks, window {}", seed, ranks, vision_window));
        expect_fair_owners(make(batch.samples, {30, vision_window}, ranks), ranks);
      }
  }
}

TEST_F(ReplicaBatchTest, OneImagePerMicroBatchAndWindowRotatesOverTheRanks) {
  const tiny::Batch batch = tiny::make_batch(1, std::vector<Kind>(8, Kind::kImage));
  std::vector<int> owners;
  for (const VisionWindow& window : make(batch.samples, {1, 1}, 4).windows)
    owners.push_back(window.items.at(0).owner);
  EXPECT_THAT(owners, ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
}

}  // namespace
}  // namespace lynceus::train
