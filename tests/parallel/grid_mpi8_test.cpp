// Every grid of eight ranks: each group has the ranks of its axes, in order.
#include "parallel/device_communicator.h"
#include "parallel/grid.h"

#include <gmock/gmock.h>

#include "parallel/agreement.h"
#include "parallel/mpi_session.h"

namespace lynceus::parallel {
namespace {

/// World ranks of the members, in the order of the group.
std::vector<int> members(Communicator& group, int world_rank) {
  const Stream stream;
  const Tensor mine = Tensor::from(stream, {1}, std::vector<int32_t>{world_rank});
  const Tensor all = Tensor::zeros(stream, {group.size()}, DType::kI32);
  group.all_gather(mine, all);
  return all.to_vector<int32_t>();
}

TEST(Grid, GroupsFollowTheAxes) {
  for (const int tensor : {1, 2, 4, 8})
    for (const int pipeline : {1, 2, 4, 8}) {
      if (8 % (tensor * pipeline) != 0) continue;
      const GridShape shape{tensor, pipeline, 8 / (tensor * pipeline)};
      SCOPED_TRACE(shape.to_string());
      const Grid grid = make_grid(shape, make_world());
      const int rank = grid.world->rank();
      const int t = shape.tensor_rank(rank), d = shape.data_rank(rank), p = shape.stage(rank);
      EXPECT_EQ(grid.tensor->rank(), t);
      EXPECT_EQ(grid.data->rank(), d);
      EXPECT_EQ(grid.stage(), p);
      EXPECT_EQ(grid.replica->rank(), t + tensor * p);
      EXPECT_EQ(grid.first_stage(), p == 0);
      EXPECT_EQ(grid.last_stage(), p == pipeline - 1);
      std::vector<int> along_tensor, along_pipeline, along_data, along_replica;
      for (int i = 0; i < shape.tensor; ++i) along_tensor.push_back(shape.rank_of(i, d, p));
      for (int i = 0; i < shape.data; ++i) along_data.push_back(shape.rank_of(t, i, p));
      for (int i = 0; i < shape.pipeline; ++i) {
        along_pipeline.push_back(shape.rank_of(t, d, i));
        for (int j = 0; j < shape.tensor; ++j) along_replica.push_back(shape.rank_of(j, d, i));
      }
      EXPECT_EQ(members(*grid.tensor, rank), along_tensor);
      EXPECT_EQ(members(*grid.pipeline, rank), along_pipeline);
      EXPECT_EQ(members(*grid.data, rank), along_data);
      EXPECT_EQ(members(*grid.replica, rank), along_replica);
    }
}

TEST(Grid, RefusesAWrongWorldOnEveryRank) {
  EXPECT_THAT(
      [] {
        make_grid({3, 1, 2}, make_world());
      },
      testing::ThrowsMessage<AgreedError>(
          "world has 8 ranks but parallel.tensor 3 x parallel.pipeline 1 x parallel.data 2 "
          "= 6: start 6 ranks or change one of the three"));
}

TEST(Grid, CpusNeedNoDeviceChoice) {
  const auto world = make_world();
  EXPECT_EQ(choose_transport(*world, Device{}, Transport::kAuto), Transport::kStaged);
  EXPECT_EQ(choose_transport(*world, Device{}, Transport::kStaged), Transport::kStaged);
  EXPECT_THROW(choose_transport(*world, Device{}, Transport::kNccl), UsageError);
}

}  // namespace
}  // namespace lynceus::parallel
