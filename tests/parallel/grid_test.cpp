// The arithmetic of the process grid, and impossible grids.
#include "parallel/grid.h"

#include <gmock/gmock.h>

#include "parallel/agreement.h"

namespace lynceus::parallel {
namespace {

using testing::ThrowsMessage;

TEST(GridShape, RankAndCoordinatesAreInverse) {
  const GridShape shape{2, 3, 4};
  EXPECT_EQ(shape.world(), 24);
  for (int rank = 0; rank < shape.world(); ++rank)
    EXPECT_EQ(shape.rank_of(shape.tensor_rank(rank), shape.data_rank(rank), shape.stage(rank)),
              rank);
  EXPECT_EQ(shape.rank_of(1, 0, 0), 1);  // tensor neighbours are next to each other
  EXPECT_EQ(shape.to_string(), "2 tensor x 3 pipeline x 4 data");
}

TEST(GridShape, ProductsBeyond32Bits) {
  EXPECT_EQ((GridShape{65536, 65536, 1}).world(), int64_t{1} << 32);
  EXPECT_EQ((GridShape{kMaxAxis, kMaxAxis, kMaxAxis}).world(), int64_t{1} << 60);
}

TEST(Grid, RefusesSizesThatDoNotMultiplyToTheWorld) {
  EXPECT_THAT(
      [] {
        make_grid({2, 2, 2}, make_self_communicator());
      },
      ThrowsMessage<AgreedError>(
          "world has 1 ranks but parallel.tensor 2 x parallel.pipeline 2 x parallel.data 2 "
          "= 8: start 8 ranks or change one of the three"));
  EXPECT_THAT(
      [] {
        make_grid({1, 0, 1}, make_self_communicator());
      },
      ThrowsMessage<AgreedError>("parallel.pipeline: expected 1 to 1048576, found 0"));
  EXPECT_THAT(
      [] {
        make_grid({65536, 65536, 1}, make_self_communicator());
      },
      ThrowsMessage<AgreedError>(testing::HasSubstr("= 4294967296")));
  EXPECT_THAT(
      [] {
        make_grid({kMaxAxis + 1, 1, 1}, make_self_communicator());
      },
      ThrowsMessage<AgreedError>("parallel.tensor: expected 1 to 1048576, found 1048577"));
}

TEST(Grid, OneRankIsFirstAndLastStage) {
  const Grid grid = make_grid({1, 1, 1}, make_self_communicator());
  EXPECT_TRUE(grid.first_stage() && grid.last_stage());
  for (const auto* group : {&grid.world, &grid.tensor, &grid.pipeline, &grid.data, &grid.replica})
    EXPECT_EQ((*group)->size(), 1);
}

}  // namespace
}  // namespace lynceus::parallel
