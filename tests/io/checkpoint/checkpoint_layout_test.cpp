// Plans of checkpoints without MPI: owners cover the blocks exactly once, ranks own elements that
// they hold where possible, and inconsistent lists are refused with every reason.
#include "io/checkpoint/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace lynceus::io {
namespace {

using testing::HasSubstr;

CheckpointTensor holding(const std::string& name, const Shape& local, TensorShard shard = {}) {
  static const Stream host;
  return {name, Tensor::empty(host, local), shard};
}

std::string faults_of(const std::vector<std::string>& descriptions) {
  try {
    plan_tensors(descriptions);
    return "accepted";
  } catch (const InternalError& error) {
    return error.what();
  }
}

/// Owners must be ranks, in order, without a gap, in whole blocks.
void expect_tiled(const TensorPlan& plan) {
  int64_t end = 0;
  for (const OwnedRows& owned : plan.owners) {
    EXPECT_EQ(owned.begin, end) << plan.name;
    EXPECT_EQ(owned.begin % plan.block_rows(), 0) << plan.name;
    EXPECT_LT(owned.begin, owned.end) << plan.name;
    end = owned.end;
  }
  EXPECT_EQ(end, plan.rows()) << plan.name;
}

TEST(CheckpointLayout, RowShardsOwnTheBlocksThatBeginInThem) {
  // Two tensor ranks, two replicas; 4 MiB are 1048 rows of 1000.
  std::vector<std::string> descriptions;
  for (int rank = 0; rank < 4; ++rank)
    descriptions.push_back(describe_tensors(std::vector{holding(
        "w", {3000, 1000}, {.axis = 0, .offset = rank % 2 * 3000, .global_extent = 6000})}));
  const auto plans = plan_tensors(descriptions);
  ASSERT_EQ(plans.size(), 1u);
  const TensorPlan& plan = plans[0];
  expect_tiled(plan);
  ASSERT_EQ(plan.slices.size(), 2u);
  EXPECT_EQ(plan.slices[1].holders, (std::vector{1, 3}));
  for (const OwnedRows& owned : plan.owners)
    EXPECT_EQ(owned.begin >= 3000 ? 1 : 0, owned.rank % 2) << "rows from " << owned.begin;
  EXPECT_EQ(plan.owners.size(), 4u);
}

TEST(CheckpointLayout, ReplicasShareLargeTensorsAndTakeTurnsWithSmallOnes) {
  std::vector<CheckpointTensor> tensors = {holding("large", {8000, 1000})};
  for (int i = 0; i < 8; ++i) tensors.push_back(holding("small" + std::to_string(i), {16}));
  const auto plans = plan_tensors(std::vector<std::string>(4, describe_tensors(tensors)));
  std::map<int, int> small_ones;
  for (const TensorPlan& plan : plans) {
    expect_tiled(plan);
    if (plan.name == "large") {
      EXPECT_EQ(plan.owners.size(), 4u);
    } else {
      ++small_ones[plan.owners.front().rank];
    }
  }
  EXPECT_EQ(small_ones, (std::map<int, int>{{0, 2}, {1, 2}, {2, 2}, {3, 2}}));
}

TEST(CheckpointLayout, PaddingIsNoPartOfTheTensor) {
  std::vector<std::string> descriptions;
  for (int rank = 0; rank < 4; ++rank)  // 9 rows over 4 ranks of 3: the last one has only padding
    descriptions.push_back(describe_tensors(
        std::vector{holding("w", {3, 2}, {.axis = 0, .offset = rank * 3, .global_extent = 9})}));
  const auto plans = plan_tensors(descriptions);
  EXPECT_EQ(plans[0].slices.size(), 3u);
  EXPECT_EQ(plans[0].shape, (Shape{9, 2}));
  EXPECT_EQ(plans[0].owned_by(3).end, 0);
}

TEST(CheckpointLayout, ListsEveryInconsistency) {
  const auto shard = [](const char* name, int64_t offset, int64_t extent) {
    return holding(name, {2, 2}, {.axis = 0, .offset = offset, .global_extent = extent});
  };
  const std::string faults =
      faults_of({describe_tensors(std::vector{shard("gap", 0, 5), shard("overlap", 0, 3),
                                              shard("short", 0, 6), holding("shape", {3}),
                                              holding("twice", {1}), holding("twice", {1})}),
                 describe_tensors(std::vector{shard("gap", 3, 5), shard("overlap", 1, 3),
                                              shard("short", 2, 6), holding("shape", {4})})});
  EXPECT_THAT(faults, HasSubstr("gap: a gap along axis 0 between 2 and 3 (rank 1)"));
  EXPECT_THAT(faults, HasSubstr("overlap: an overlap"));
  EXPECT_THAT(faults, HasSubstr("short: the shards end at 4 of 6"));
  EXPECT_THAT(faults, HasSubstr("shape: [dtype, shape, axis]"));
  EXPECT_THAT(faults, HasSubstr("twice: listed twice on rank 0"));
}

}  // namespace
}  // namespace lynceus::io
