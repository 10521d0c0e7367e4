// The order of samples with left-out ones: index by index as if one walked over them.
#include "train/data/left_out.h"

#include <gtest/gtest.h>

#include <set>

namespace lynceus::train {
namespace {

TEST(LeftOutSamples, WithoutAnyEveryIndexIsUsed) {
  const LeftOutSamples none;
  for (const int64_t index : {0, 1, 77}) {
    EXPECT_EQ(none.next_used(index), index);
    EXPECT_EQ(none.index_of(index), index);
  }
}

TEST(LeftOutSamples, OnlyRolledBackStepsLeaveSamplesOut) {
  const std::vector<io::LeftOutStep> skipped = {{2, false, 8, 16}};
  EXPECT_EQ(LeftOutSamples(skipped).index_of(12), 12);
}

TEST(LeftOutSamples, EqualsAWalkOverTheIndexes) {
  // Not in order; two of them touch, two overlap, one begins at 0.
  const std::vector<io::LeftOutStep> steps = {{3, true, 16, 24}, {3, true, 24, 32},
                                              {1, true, 0, 4},   {9, false, 40, 48},
                                              {7, true, 60, 70}, {7, true, 65, 72}};
  const LeftOutSamples left_out(steps);
  std::set<int64_t> unused;
  for (const io::LeftOutStep& step : steps)
    for (int64_t i = step.first_sample; step.rolled_back && i < step.end_sample; ++i)
      unused.insert(i);
  int64_t seen = 0;
  for (int64_t index = 0; index < 100; ++index) {
    if (unused.contains(index)) continue;
    EXPECT_EQ(left_out.index_of(seen), index);
    ++seen;
    EXPECT_EQ(left_out.next_used(index), index);
  }
  EXPECT_EQ(left_out.next_used(16), 32);
  EXPECT_EQ(left_out.next_used(31), 32);
  EXPECT_EQ(left_out.next_used(0), 4);
  EXPECT_EQ(left_out.next_used(60), 72);
}

TEST(LeftOutSamples, AStepMayReachOverThem) {
  const std::vector<io::LeftOutStep> steps = {{3, true, 16, 24}};
  const LeftOutSamples left_out(steps);
  EXPECT_EQ(samples_of_step(left_out, 8, 8), std::make_pair(int64_t{8}, int64_t{16}));
  EXPECT_EQ(samples_of_step(left_out, 16, 8), std::make_pair(int64_t{24}, int64_t{32}));
  EXPECT_EQ(samples_of_step(left_out, 12, 8), std::make_pair(int64_t{12}, int64_t{28}));
}

}  // namespace
}  // namespace lynceus::train
