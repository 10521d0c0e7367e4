// Checkpoints on four ranks: every grid reads the checkpoints of every grid bit for bit; the
// digests do not depend on the grid; a failure on one rank is a failure on all.
#include "io/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

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

/// The bytes of tensors along an axis after the first, which no rank can digest by itself.
int64_t bytes_to_exchange() {
  int64_t bytes = 0;
  for (const GlobalTensor& tensor : model_tensors(true))
    if (tensor.axis > 0) bytes += tensor.shape.elements() * 4;
  return bytes;
}

int64_t bytes_of_model() {
  int64_t bytes = 0;
  for (const GlobalTensor& tensor : model_tensors(true)) bytes += tensor.shape.elements() * 4;
  return bytes;
}

class Snapshots : public CheckpointOnFour {
 protected:
  std::unique_ptr<parallel::Communicator> saving_ = parallel::make_background_group(*world_);

  Snapshot snapshot_of(CheckpointStore& store, const std::vector<LocalTensor>& tensors,
                       int64_t step) {
    for (const LocalTensor& tensor : tensors) tensor.fill(step);
    const auto entries = entries_of(tensors);
    const TrialResult trial = store.try_out(entries);
    memory_ = StagingMemory(stream_, trial.staging_bytes);
    return store.take_snapshot(manifest_of(step), entries, memory_);
  }

  StagingMemory memory_;
};

TEST_F(Snapshots, AreWhatASaveOfTheirMomentWritesWhateverFollows) {
  if (!parallel::several_threads_communicate()) GTEST_SKIP() << "no MPI_THREAD_MULTIPLE";
  for (const GridShape& grid : kGrids) {
    RunDirectory run(*world_);
    CheckpointStore store(*saving_, {.run_directory = run.path()});
    const auto tensors = on(grid, true);
    ASSERT_TRUE(save(store, tensors, 7).committed);
    Snapshot snapshot = snapshot_of(store, tensors, 7);
    snapshot.manifest.step = 8;
    SaveResult result;
    std::thread thread([&] { result = store.save(snapshot); });
    for (int i = 0; i < 50; ++i) {  // what steps would do meanwhile
      for (const LocalTensor& tensor : tensors) tensor.scramble();
      world_->all_reduce(int64_t{1});
    }
    thread.join();
    ASSERT_TRUE(result.committed) << result.message;
    const Manifest expected = read_manifest(checkpoint_path(run.path(), 7));
    const Manifest found = verify_checkpoint(*world_, result.path);
    ASSERT_EQ(found.tensors.size(), expected.tensors.size());
    for (size_t i = 0; i < found.tensors.size(); ++i)
      EXPECT_EQ(found.tensors[i].blocks, expected.tensors[i].blocks)
          << grid.to_string() << " " << found.tensors[i].name;
  }
}

TEST_F(Snapshots, GatherNoTensor) {
  constexpr int64_t kManifest = 64 << 10;  // descriptions of the tensors, digests, agreement
  ASSERT_GT(bytes_of_model(), 100 * kManifest);
  for (const GridShape& grid : kGrids) {
    RunDirectory run(*world_);
    CheckpointStore store(*saving_, {.run_directory = run.path()});
    const auto tensors = on(grid, true);
    const auto counted = [&] { return world_->all_reduce(saving_->counts().bytes); };
    const int64_t before = counted();
    const Snapshot snapshot = snapshot_of(store, tensors, 1);
    const int64_t between = counted();
    ASSERT_TRUE(store.save(snapshot).committed);
    const int64_t after = counted();
    EXPECT_LT(after - between, kManifest) << "the save itself, " << grid.to_string();
    // Blocks of 4 MiB that straddle two tensor shards go to one of them: at most one for each.
    const int64_t blocks = grid.tensor > 1 ? 4 * (int64_t{4} << 20) : 0;
    const int64_t exchanged = grid.tensor > 1 ? bytes_to_exchange() : 0;
    EXPECT_LT(between - before, exchanged + blocks + kManifest)
        << "the snapshot, " << grid.to_string();
  }
}

TEST_F(Snapshots, ShareTheMemoryOverTheReplicas) {
  CheckpointStore store(*saving_, {.run_directory = run_.path()});
  const auto tensors = on({1, 1, 4}, true);
  const auto mine = static_cast<int64_t>(store.try_out(entries_of(tensors)).staging_bytes);
  EXPECT_LT(world_->all_reduce(mine), bytes_of_model() + (1 << 16));
  EXPECT_LT(mine, bytes_of_model() / 2);
}

TEST_F(Snapshots, AFailureOfOneRankIsAFailureOfAll) {
  CheckpointStore store(*saving_, {.run_directory = run_.path()});
  const auto tensors = on({2, 2, 1}, true);
  const Snapshot snapshot = snapshot_of(store, tensors, 1);
  if (world_->rank() == 0) fs::create_directories(checkpoint_path(run_.path(), 1));
  const SaveResult result = store.save(snapshot);
  EXPECT_FALSE(result.committed);
  EXPECT_THAT(result.message, HasSubstr("rank 0: "));
}

}  // namespace
}  // namespace lynceus::io
