// Checkpoints on four ranks: every grid reads the checkpoints of every grid bit for bit; the
// digests do not depend on the grid; a failure on one rank is a failure on all.
#include "io/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "parallel/mpi_session.h"
#include "tests/io/checkpoint/checkpoint_fixture.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using parallel::GridShape;
using testing::HasSubstr;

const std::vector<GridShape> kGrids = {{1, 1, 4}, {2, 2, 1}, {4, 1, 1}, {2, 1, 2}, {1, 2, 2}};

class CheckpointOnFour : public testing::Test {
 protected:
  std::unique_ptr<parallel::Communicator> world_ = parallel::make_world();
  RunDirectory run_{*world_};
  Stream stream_;

  std::vector<LocalTensor> on(const GridShape& grid, bool large) {
    return local_tensors(model_tensors(large), grid, world_->rank(), stream_);
  }
  SaveResult save(CheckpointStore& store, const std::vector<LocalTensor>& tensors, int64_t step) {
    for (const LocalTensor& tensor : tensors) tensor.fill(step);
    return store.save(manifest_of(step), entries_of(tensors));
  }
  int64_t wrong(const std::vector<LocalTensor>& tensors, int64_t step) {
    int64_t count = 0;
    for (const LocalTensor& tensor : tensors) count += tensor.wrong(step);
    return world_->all_reduce(count);
  }
};

TEST_F(CheckpointOnFour, EveryGridReadsCheckpointsOfEveryGrid) {
  ASSERT_EQ(world_->size(), 4);
  std::vector<Digest128> first;
  for (size_t i = 0; i < kGrids.size(); ++i) {
    RunDirectory run(*world_);
    CheckpointStore store(*world_, {.run_directory = run.path()});
    const auto written = on(kGrids[i], true);
    const SaveResult result = save(store, written, 7);
    ASSERT_TRUE(result.committed) << result.message;
    const Manifest manifest = verify_checkpoint(*world_, result.path);
    std::vector<Digest128> digests;
    for (const ManifestTensor& tensor : manifest.tensors)
      digests.insert(digests.end(), tensor.blocks.begin(), tensor.blocks.end());
    if (first.empty()) first = digests;
    EXPECT_EQ(digests, first) << kGrids[i].to_string();
    for (size_t k = 0; k < 3; ++k) {
      const GridShape& grid = kGrids[(i + k) % kGrids.size()];
      const auto read = on(grid, true);
      for (const LocalTensor& tensor : read) tensor.scramble();
      load_checkpoint(*world_, result.path, entries_of(read));
      EXPECT_EQ(wrong(read, 7), 0)
          << "written on " << kGrids[i].to_string() << ", read on " << grid.to_string();
    }
  }
}

TEST_F(CheckpointOnFour, DamageIsSeenByEveryRankAndTheOlderOneIsLoaded) {
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  const auto tensors = on({2, 2, 1}, true);
  ASSERT_TRUE(save(store, tensors, 1).committed);
  const SaveResult second = save(store, tensors, 2);
  ASSERT_TRUE(second.committed);
  const fs::path state = second.path / kStateFileName;
  for (const double place : {0.3, 0.6, 0.9}) {
    const auto byte = static_cast<uint64_t>(place * static_cast<double>(fs::file_size(state)));
    world_->barrier();
    if (world_->rank() == 0) flip_bit(state, byte, 5);
    world_->barrier();
    const auto loaded = load_newest_checkpoint(*world_, run_.path(), entries_of(tensors));
    ASSERT_TRUE(loaded.has_value());
    EXPECT_EQ(loaded->manifest.step, 1);
    EXPECT_EQ(loaded->damaged.size(), 1u);
    EXPECT_EQ(wrong(tensors, 1), 0);
    world_->barrier();
    if (world_->rank() == 0) flip_bit(state, byte, 5);
  }
  world_->barrier();
  EXPECT_EQ(load_newest_checkpoint(*world_, run_.path(), entries_of(tensors))->manifest.step, 2);
}

TEST_F(CheckpointOnFour, ListsThatDoNotFitTogetherAreABugOnEveryRank) {
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  auto entries = entries_of(on({2, 2, 1}, false));
  if (world_->rank() == 2) entries.back().name = "entirely/else";
  entries.push_back({"sized/value", Tensor::zeros(stream_, {world_->rank() == 3 ? 2 : 1}), {}});
  EXPECT_THROW(store.save(manifest_of(1), entries), InternalError);
  EXPECT_EQ(committed_checkpoints(run_.path()).size(), 0u);
}

TEST_F(CheckpointOnFour, RanksWithoutTensorsTakePart) {
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  std::vector<LocalTensor> tensors;
  if (world_->rank() == 2) tensors = on({1, 1, 1}, false);
  ASSERT_TRUE(save(store, tensors, 1).committed);
  for (const LocalTensor& tensor : tensors) tensor.scramble();
  load_checkpoint(*world_, checkpoint_path(run_.path(), 1), entries_of(tensors));
  EXPECT_EQ(wrong(tensors, 1), 0);
}

TEST_F(CheckpointOnFour, RetentionIsAgreed) {
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  const auto tensors = on({2, 1, 2}, false);
  for (const int64_t step : {1, 2, 3, 4}) ASSERT_TRUE(save(store, tensors, step).committed);
  EXPECT_EQ(committed_checkpoints(run_.path()).size(), 2u);
  EXPECT_THAT(leftovers(run_.path()), testing::IsEmpty());
}

}  // namespace
}  // namespace lynceus::io
