// What follows from the findings of all ranks: place, ranks, parameters and samples.
#include "train/nonfinite/origin_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lynceus::train {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Place = NonfiniteOrigin::Place;

struct Found {
  size_t rank;
  NonfiniteFinding finding;
  const char* detail = "";
};

NonfiniteOrigin conclusion(const parallel::GridShape& shape, const std::vector<Found>& findings) {
  std::vector<RankFindings> all(static_cast<size_t>(shape.world()));
  for (const Found& found : findings) all[found.rank].add(found.finding, found.detail);
  return conclude(shape, all);
}

TEST(RankFindings, AreReadBackFromTheirText) {
  RankFindings findings;
  findings.add(NonfiniteFinding::kForward);
  findings.add(NonfiniteFinding::kSample, "7 captions a\tb\nv c\rd");
  findings.add(NonfiniteFinding::kGradient, std::vector<std::string>{"second", "first"});
  const RankFindings read(findings.text());
  EXPECT_TRUE(read.has(NonfiniteFinding::kForward));
  EXPECT_FALSE(read.has(NonfiniteFinding::kValue)) << "a line break in a key made a finding";
  EXPECT_THAT(read.of(NonfiniteFinding::kSample), ElementsAre("7 captions a b v c d"));
  EXPECT_THAT(read.of(NonfiniteFinding::kGradient), ElementsAre("second", "first"));
  EXPECT_THAT(read.of(NonfiniteFinding::kValue), IsEmpty());
}

TEST(NonfiniteOrigin, IsTheFirstPlaceThatAnyRankFound) {
  std::vector<Found> findings = {{2, NonfiniteFinding::kSum}};
  const parallel::GridShape shape{1, 1, 4};
  NonfiniteOrigin origin = conclusion(shape, findings);
  EXPECT_EQ(origin.place, Place::kNone);
  EXPECT_THAT(origin.ranks, ElementsAre(2));
  const std::pair<Place, Found> later_to_earlier[] = {
      {Place::kBridge, {3, NonfiniteFinding::kBridge}},
      {Place::kBackward, {0, NonfiniteFinding::kBackward}},
      {Place::kForward, {1, NonfiniteFinding::kForward}},
      {Place::kEncoder, {2, NonfiniteFinding::kEncoder, "0"}},
      {Place::kValues, {3, NonfiniteFinding::kValue, "w"}}};
  for (const auto& [place, found] : later_to_earlier) {
    findings.push_back(found);
    origin = conclusion(shape, findings);
    EXPECT_EQ(origin.place, place);
    EXPECT_THAT(origin.ranks, ElementsAre(static_cast<int>(found.rank)));
  }
}

TEST(NonfiniteOrigin, NamesAllItsRanksWithTheirParametersAndSamples) {
  const NonfiniteOrigin origin =
      conclusion({1, 1, 3}, {{2, NonfiniteFinding::kBackward},
                             {2, NonfiniteFinding::kGradient, "last"},
                             {2, NonfiniteFinding::kGradient, "first"},
                             {2, NonfiniteFinding::kSample, "12 captions a key"},
                             {1, NonfiniteFinding::kGradient, "of another rank"},
                             {1, NonfiniteFinding::kSample, "11 captions other"},
                             {0, NonfiniteFinding::kBackward},
                             {0, NonfiniteFinding::kGradient, "first"},
                             {0, NonfiniteFinding::kSummedGradient, "summed"},
                             {0, NonfiniteFinding::kSample, "3 color x"}});
  EXPECT_THAT(origin.ranks, ElementsAre(0, 2));
  EXPECT_THAT(origin.parameters, ElementsAre("first", "last")) << "each once";
  EXPECT_THAT(origin.samples, ElementsAre(Pair(3, "color x"), Pair(12, "captions a key")));
}

TEST(NonfiniteOrigin, OfVisualTokensIsTheRankThatEncodedThem) {
  const NonfiniteOrigin origin =
      conclusion({2, 2, 1}, {{0, NonfiniteFinding::kEncoder, "3"},
                             {0, NonfiniteFinding::kSample, "5 captions x"},
                             {0, NonfiniteFinding::kGradient, "of the first stage"},
                             {1, NonfiniteFinding::kEncoder, "3"},
                             {3, NonfiniteFinding::kGradient, "bridge.latents"}});
  EXPECT_THAT(origin.ranks, ElementsAre(3));
  EXPECT_THAT(origin.parameters, ElementsAre("bridge.latents"));
  EXPECT_THAT(origin.samples, ElementsAre(Pair(5, "captions x")));
}

TEST(NonfiniteOrigin, OfVisualTokensIsInTheReplicaThatFoundThem) {
  // Rank 2 is on the first stage of the second replica, which is ranks 2, 3, 6 and 7.
  const NonfiniteOrigin origin = conclusion(
      {2, 2, 2}, {{2, NonfiniteFinding::kEncoder, "1"}, {2, NonfiniteFinding::kEncoder, "2"}});
  EXPECT_THAT(origin.ranks, ElementsAre(3, 6));
}

TEST(NonfiniteOrigin, IsNotWhereValuesCameFromAnotherStage) {
  const parallel::GridShape shape{2, 2, 1};
  // Rank 2 received them; the sums of its tensor group took them to rank 3.
  NonfiniteOrigin origin = conclusion(shape, {{0, NonfiniteFinding::kForward},
                                              {2, NonfiniteFinding::kInput},
                                              {2, NonfiniteFinding::kForward},
                                              {3, NonfiniteFinding::kForward}});
  EXPECT_EQ(origin.place, Place::kForward);
  EXPECT_THAT(origin.ranks, ElementsAre(0));
  origin = conclusion(shape, {{3, NonfiniteFinding::kBackward},
                              {1, NonfiniteFinding::kOutputGradient},
                              {0, NonfiniteFinding::kBackward},
                              {1, NonfiniteFinding::kBackward}});
  EXPECT_EQ(origin.place, Place::kBackward);
  EXPECT_THAT(origin.ranks, ElementsAre(3));
  // Another cause than what was received.
  origin = conclusion(shape, {{0, NonfiniteFinding::kInput}, {1, NonfiniteFinding::kBackward}});
  EXPECT_THAT(origin.ranks, ElementsAre(1));
}

TEST(NonfiniteOrigin, OfDamagedValuesNamesNoSample) {
  const NonfiniteOrigin origin =
      conclusion({1, 1, 2}, {{1, NonfiniteFinding::kValue, "w"},
                             {1, NonfiniteFinding::kGradient, "g"},
                             {1, NonfiniteFinding::kSample, "5 captions x"}});
  EXPECT_EQ(origin.place, Place::kValues);
  EXPECT_THAT(origin.parameters, ElementsAre("w"));
  EXPECT_THAT(origin.samples, IsEmpty());
}

TEST(NonfiniteOrigin, OfBadSumsAloneNamesTheSummedGradients) {
  const NonfiniteOrigin origin =
      conclusion({1, 1, 2}, {{0, NonfiniteFinding::kSum},
                             {0, NonfiniteFinding::kSummedGradient, "w"},
                             {0, NonfiniteFinding::kSample, "5 captions x"},
                             {1, NonfiniteFinding::kSample, "6 captions y"}});
  EXPECT_EQ(origin.place, Place::kNone);
  EXPECT_THAT(origin.parameters, ElementsAre("w"));
  EXPECT_THAT(origin.samples, ElementsAre(Pair(5, "captions x")));
}

}  // namespace
}  // namespace lynceus::train
