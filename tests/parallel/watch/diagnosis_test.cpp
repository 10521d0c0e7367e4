// From the states of the ranks to those that are named.
#include "parallel/watch/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lynceus::parallel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = Diagnosis::Kind;
using States = std::vector<std::optional<RankState>>;

RecordedCall call(Operation operation, int64_t number, int64_t bytes, bool done,
                  double seconds = 60) {
  return {operation, number, bytes, done ? CallState::kDone : CallState::kInside, seconds};
}

/// A rank with one group, in which the calls until `last` were all_reduce of 8 bytes; the last one
/// is open or done.
RankState rank_in(int rank, int64_t last, bool is_open, const std::string& group = "world") {
  RankState state;
  state.rank = rank;
  state.ranks = 4;
  state.section = "step";
  state.step = 11;
  state.stalled = 60;
  state.limit = 60;
  GroupState calls;
  calls.name = group;
  calls.collectives = last;
  for (int64_t i = last - 2; i <= last; ++i)
    calls.calls.push_back(call(Operation::kAllReduce, i, 8, i < last || !is_open,
                               61 + 0.001 * static_cast<double>(last - i)));
  state.groups.push_back(calls);
  return state;
}

States all_in(int64_t last, bool is_open) {
  States states;
  for (int rank = 0; rank < 4; ++rank) states.push_back(rank_in(rank, last, is_open));
  return states;
}

const std::vector<std::string> kPlaces = {"a, process 1", "a, process 2", "b, process 1",
                                          "b, process 2"};

TEST(Diagnosis, NamesARankThatHangsOutsideOfCalls) {
  States states = all_in(40, true);
  states[2] = rank_in(2, 39, false);
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kHanging);
  EXPECT_THAT(found.ranks, ElementsAre(2));
  EXPECT_EQ(
      found.what,
      "rank 2 (b, process 1) hangs: step after step 11, in no call; the last was all_reduce 39 "
      "(8 bytes) of the world for 60 s");
  EXPECT_THAT(found.states, HasSubstr("\n  ranks 0-1,3: step after step 11, in all_reduce 40 (8 "
                                      "bytes) of the world"));
}

TEST(Diagnosis, FollowsTheChainOverGroups) {
  // Ranks 0 and 1 share a tensor group, 2 and 3 another one; the data groups are 0,2 and 1,3.
  States states;
  for (int rank = 0; rank < 4; ++rank) {
    RankState state = rank_in(rank, 10, false, rank < 2 ? "tensor group 0" : "tensor group 1");
    RankState data = rank_in(rank, 5, rank < 2, rank % 2 == 0 ? "data group 0" : "data group 1");
    if (rank >= 2) data = rank_in(rank, 4, false, data.groups[0].name);
    state.groups.push_back(data.groups[0]);
    states.push_back(state);
  }
  states[3]->groups[0] = rank_in(3, 11, true, "tensor group 1").groups[0];  // waits for rank 2
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kHanging);
  EXPECT_THAT(found.ranks, ElementsAre(2));
}

TEST(Diagnosis, NamesRanksWithoutAState) {
  States states = all_in(40, true);
  states[1].reset();
  states[3].reset();
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kSilent);
  EXPECT_THAT(found.ranks, ElementsAre(1, 3));
  EXPECT_THAT(found.what, HasSubstr("ranks 1,3 (a, process 2; b, process 2) do not answer"));
}

TEST(Diagnosis, NamesTheRankWithAnotherCall) {
  States states = all_in(40, true);
  states[3]->groups[0].calls.back() = call(Operation::kBarrier, 40, 0, false);
  Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kDiffering);
  EXPECT_THAT(found.ranks, ElementsAre(3));
  EXPECT_EQ(
      found.what,
      "rank 3 (b, process 2) called barrier of 0 bytes as call 40 of the world, but the other "
      "ranks 0-2 all_reduce of 8 bytes: they differ in what they compute");
  states[3]->groups[0].calls.back() = call(Operation::kAllReduce, 40, 16, false);
  found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kDiffering);
  EXPECT_THAT(found.ranks, ElementsAre(3));
}

TEST(Diagnosis, NamesTheFirstOfSeveralDifferences) {
  States states = all_in(40, true);
  for (auto& state : states) {
    state->groups.push_back(rank_in(0, 7, false, "a later group").groups[0]);
    state->groups[1].calls.back().seconds = 10;
  }
  states[0]->groups[1].calls.back() = call(Operation::kBarrier, 7, 0, true, 10);
  states[3]->groups[0].calls[0] = call(Operation::kBarrier, 38, 0, true, 61.1);
  EXPECT_THAT(diagnose(states, kPlaces).ranks, ElementsAre(3));
}

TEST(Diagnosis, NamesAllWhereThereIsNoMajority) {
  States states = all_in(40, true);
  for (const size_t rank : {2, 3})
    states[rank]->groups[0].calls.back() = call(Operation::kBarrier, 40, 0, false);
  EXPECT_THAT(diagnose(states, kPlaces).ranks, ElementsAre(0, 1, 2, 3));
}

TEST(Diagnosis, NamesTheFewestOfACircle) {
  // Ranks 0 to 2 wait in the world, rank 3 in an exchange that nobody joins.
  States states = all_in(40, true);
  states[3] = rank_in(3, 39, false);
  states[3]->groups.push_back({"pipeline group", 0, {call(Operation::kExchange, 1, 64, false)}});
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kCircle);
  EXPECT_THAT(found.ranks, ElementsAre(3));
}

TEST(Diagnosis, NamesARankInACallThatTheOthersHaveLeft) {
  States states = all_in(41, true);
  states[2] = rank_in(2, 40, true);
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kHanging);
  EXPECT_THAT(found.ranks, ElementsAre(2));
  EXPECT_THAT(found.what, HasSubstr(" hangs: step after step 11, in all_reduce 40 "));
}

TEST(Diagnosis, KnowsThatSubmittedCallsMayBeDone) {
  // The same call of the data group looks unfinished on all ranks, because no host has looked at
  // its device since. Ranks 0, 1 and 3 are in the next one, of the world.
  States states;
  for (int rank = 0; rank < 4; ++rank) {
    RankState state = rank_in(rank, 4, true, "data group");
    state.groups[0].calls.back().state = CallState::kSubmitted;
    state.groups.push_back(rank_in(rank, rank == 2 ? 6 : 7, rank != 2).groups[0]);
    state.groups[1].calls.back().seconds = 60;
    states.push_back(state);
  }
  const Diagnosis found = diagnose(states, kPlaces);
  EXPECT_EQ(found.kind, Kind::kHanging);
  EXPECT_THAT(found.ranks, ElementsAre(2));
  EXPECT_THAT(found.what, HasSubstr("after submitting all_reduce 4 (8 bytes) of the data group"));
}

TEST(Diagnosis, NamesNobodyInTheSameCall) {
  const Diagnosis found = diagnose(all_in(40, true), kPlaces);
  EXPECT_EQ(found.kind, Kind::kSameCall);
  EXPECT_THAT(found.ranks, IsEmpty());
}

TEST(Diagnosis, WaitsForARankWithinItsOwnLimit) {
  States states = all_in(40, true);
  states[2] = rank_in(2, 39, false);
  EXPECT_EQ(seconds_left(states), 0);
  states[2]->section = "data";
  states[2]->limit = 600;
  EXPECT_EQ(seconds_left(states), 540);
  states[1]->limit = 6000;  // waits, so its limit does not count
  EXPECT_EQ(seconds_left(states), 540);
  states[2]->limit = 0;
  EXPECT_TRUE(std::isinf(seconds_left(states)));
}

TEST(RankState, IsReadBackFromItsText) {
  RankState state = rank_in(2, 40, true, "data group 1");
  state.written = system_seconds() - 5;
  const std::string text = to_text(state);
  const auto read = parse_rank_state(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->rank, 2);
  EXPECT_EQ(read->section, "step");
  EXPECT_EQ(read->step, 11);
  EXPECT_NEAR(read->stalled, 65, 1);
  EXPECT_EQ(read->limit, 60);
  ASSERT_EQ(read->groups.size(), 1u);
  EXPECT_EQ(read->groups[0].name, "data group 1");
  EXPECT_EQ(read->groups[0].collectives, 40);
  ASSERT_EQ(read->groups[0].calls.size(), 3u);
  EXPECT_EQ(read->groups[0].calls[1].state, CallState::kDone);
  EXPECT_EQ(read->groups[0].calls[2].state, CallState::kInside);
  EXPECT_NEAR(read->groups[0].calls[2].seconds, 66, 1);
  for (const size_t length : {size_t{0}, text.size() / 2, text.size() - 4})
    EXPECT_FALSE(parse_rank_state(text.substr(0, length)).has_value()) << length;
  EXPECT_FALSE(parse_rank_state("call nonsense 1 2 done 3\nend\n").has_value());
}

TEST(RankState, WritesRangesOfRanks) {
  EXPECT_EQ(ranges({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(ranges({}), "");
}

}  // namespace
}  // namespace lynceus::parallel
