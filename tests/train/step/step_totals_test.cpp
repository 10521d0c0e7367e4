// The order in which numbers of several ranks are added, and the sums of one rank.
#include "train/step/step_totals.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/train/tiny_model.h"

namespace lynceus::train {
namespace {

using tiny::Kind;

TEST(StepTotals, AddsNeighboursFirst) {
  EXPECT_EQ(sum_pairwise({}), 0);
  const double large = 1e16;  // large + 1 == large
  for (const auto& [values, sum] : std::vector<std::pair<std::vector<double>, double>>{
           {{3}, 3},
           {{1, 2, 4}, 7},
           {{large, 1, 1, -large}, 0},      // (large + 1) + (1 - large)
           {{large, -large, 1, 1}, 2},      // (large - large) + (1 + 1)
           {{1, large, -large}, 0},         // (1 + large) - large
           {{large, -large, 1}, 1},         // (large - large) + 1
           {{large, 1, 1, 1, -large}, 0},   // ((large + 1) + 1) + (1 - large)
           {{1, large, -large, 1, 1}, 2}})  // ((1 + large) - large) + (1 + 1)
    EXPECT_EQ(sum_pairwise(values), sum) << fmt::format("{}", fmt::join(values, " + "));
}

TEST(StepTotals, OfOneRank) {
  tiny::Run run(parallel::make_self_communicator(), {});
  const tiny::Batch batch = tiny::make_batch(1, {Kind::kText, Kind::kImage, Kind::kVideo});
  const StepTotals totals = run.step(batch).totals;
  int64_t tokens = 0, scored = 0, images = 0;
  for (const SampleInput& sample : batch.samples) {
    tokens += static_cast<int64_t>(sample.token_ids.size());
    for (const int64_t frames : sample.item_frames)
      tokens += run.options().model.visual_tokens(frames);
    images += sample.frames();
    const size_t first = sample.item_frames.empty() ? 1 : 0;  // without a row before it: no target
    for (size_t i = first; i < sample.scored.size(); ++i) scored += sample.scored[i];
  }
  EXPECT_EQ(totals.tokens, tokens);
  EXPECT_EQ(totals.scored_tokens, scored);
  EXPECT_EQ(totals.patch_tokens(), images * run.options().model.vision.tokens_per_image());
  EXPECT_EQ(totals.most_patch_tokens(), totals.patch_tokens());
  EXPECT_EQ(totals.cut_tokens, 0);
  EXPECT_EQ(totals.damaged_samples, 0);
}

}  // namespace
}  // namespace lynceus::train
