// Checkpoints on one rank: damaged checkpoints of every kind are detected and skipped, a failed
// save is reported and does not end the run, retention keeps the required checkpoints.
#include "io/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/process/stop_request.h"
#include "io/checkpoint/run_lease.h"
#include "tests/io/checkpoint/checkpoint_fixture.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class CheckpointTest : public testing::Test {
 protected:
  std::unique_ptr<parallel::Communicator> world_ = parallel::make_self_communicator();
  RunDirectory run_{*world_};
  Stream stream_;
  std::vector<LocalTensor> tensors_ = local_tensors(model_tensors(false), {}, 0, stream_);

  SaveResult save(CheckpointStore& store, int64_t step) {
    for (const LocalTensor& tensor : tensors_) tensor.fill(step);
    return store.save(manifest_of(step), entries_of(tensors_));
  }
  void save_steps(std::initializer_list<int64_t> steps, int keep_last = 2, int64_t keep_every = 0) {
    CheckpointStore store(
        *world_, {.run_directory = run_.path(), .keep_last = keep_last, .keep_every = keep_every});
    for (const int64_t step : steps) {
      const SaveResult result = save(store, step);
      ASSERT_TRUE(result.committed) << result.message;
    }
  }
  std::optional<LoadedCheckpoint> load(const LoadOptions& options = {}) {
    for (const LocalTensor& tensor : tensors_) tensor.scramble();
    return load_newest_checkpoint(*world_, run_.path(), entries_of(tensors_), options);
  }
  int64_t wrong(int64_t step) const {
    int64_t count = 0;
    for (const LocalTensor& tensor : tensors_) count += tensor.wrong(step);
    return count;
  }
  fs::path state(int64_t step) const { return checkpoint_path(run_.path(), step) / kStateFileName; }
  std::vector<int64_t> committed() const {
    std::vector<int64_t> steps;
    for (const fs::path& path : committed_checkpoints(run_.path()))
      steps.push_back(std::stoll(path.filename().string().substr(5)));
    return steps;
  }
};

TEST_F(CheckpointTest, LoadsNoneWhereNoneWasCommitted) { EXPECT_FALSE(load().has_value()); }

TEST_F(CheckpointTest, LoadsTheNewest) {
  save_steps({3, 4});
  const auto loaded = load();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->manifest.step, 4);
  EXPECT_EQ(loaded->manifest.samples_seen, 256);
  EXPECT_THAT(loaded->damaged, IsEmpty());
  EXPECT_EQ(wrong(4), 0);
  EXPECT_GT(wrong(3), 0);
  EXPECT_THAT(leftovers(run_.path()), IsEmpty());
  EXPECT_EQ(fs::read_symlink(run_.path() / "checkpoints" / "latest"), "step-00000004");
}

TEST_F(CheckpointTest, EveryFlippedBitIsFoundAndTheOlderOneIsLoaded) {
  save_steps({1, 2});
  const uint64_t size = fs::file_size(state(2));
  const CounterRandom random(1, "flips");
  for (uint64_t i = 0; i < 100; ++i) {
    const uint64_t byte = random.below(2 * i, size);
    const int bit = static_cast<int>(random.below(2 * i + 1, 8));
    flip_bit(state(2), byte, bit);
    const auto loaded = load();
    ASSERT_TRUE(loaded.has_value());
    ASSERT_EQ(loaded->manifest.step, 1) << "byte " << byte << " bit " << bit;
    ASSERT_EQ(loaded->damaged.size(), 1u);
    EXPECT_THAT(loaded->damaged[0], HasSubstr(state(2).string()));
    ASSERT_EQ(wrong(1), 0);
    flip_bit(state(2), byte, bit);
  }
  EXPECT_EQ(load()->manifest.step, 2);
}

TEST_F(CheckpointTest, DamageNamesTensorRowsAndDigests) {
  save_steps({1});
  const Manifest manifest = read_manifest(checkpoint_path(run_.path(), 1));
  flip_bit(state(1), manifest.frame[0].offset + manifest.frame[0].size + 1, 0);
  try {
    load();
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("is damaged in rows 0 to"),
                                             HasSubstr("/value"), HasSubstr("expected digest")));
  }
}

TEST_F(CheckpointTest, TruncatedMissingOrForeignFilesAreSkipped) {
  save_steps({1, 2});
  const std::string whole = read_text(state(2));
  for (const uint64_t size : {uint64_t{0}, whole.size() / 2, whole.size() - 1}) {
    fs::resize_file(state(2), size);
    EXPECT_EQ(load()->manifest.step, 1) << size;
  }
  fs::remove(state(2));
  EXPECT_EQ(load()->manifest.step, 1);
  fs::copy_file(state(1), state(2));  // a stale file in a new directory
  EXPECT_EQ(load()->manifest.step, 1);
  fs::remove(state(2));
  atomic_write_text(state(2), whole);
  EXPECT_EQ(load()->manifest.step, 2);
  fs::copy(checkpoint_path(run_.path(), 1), checkpoint_path(run_.path(), 3));
  const auto loaded = load();  // an intact checkpoint under another's name
  EXPECT_EQ(loaded->manifest.step, 2);
  EXPECT_THAT(loaded->damaged.at(0), HasSubstr("step-00000001"));
  fs::resize_file(checkpoint_path(run_.path(), 2) / kManifestName, 100);
  EXPECT_EQ(load()->manifest.step, 1);
}

TEST_F(CheckpointTest, UnreadableIsNotDamaged) {
  save_steps({1, 2});
  const auto expect_refused = [&](const fs::path& named) {
    try {
      load();
      ADD_FAILURE() << "skipped";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kIo) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(named.string()));
    }
  };
  const fs::path directory = checkpoint_path(run_.path(), 2);
  for (const char* name : {kManifestName, kStateFileName}) {
    const fs::path file = directory / name;
    fs::rename(file, directory / "aside");
    fs::create_symlink(file, file);  // ELOOP, also for root
    expect_refused(file);
    fs::remove(file);
    fs::rename(directory / "aside", file);
  }
  EXPECT_EQ(load()->manifest.step, 2);
}

TEST_F(CheckpointTest, UncommittedIsNeverLoaded) {
  save_steps({1});
  const fs::path checkpoints = run_.path() / "checkpoints";
  const fs::path whole = checkpoint_path(run_.path(), 1);
  for (const char* name : {".staging-0/step-00000009", ".removing-step-00000008",
                           "superseded-step-00000007", "step-00000006.tmp"}) {
    fs::create_directories((checkpoints / name).parent_path());
    fs::copy(whole, checkpoints / name);
  }
  fs::create_directories(checkpoints / "step-00000010");  // has the final name, but no manifest
  EXPECT_EQ(committed(), std::vector<int64_t>{1});
  save_steps({2});
  EXPECT_EQ(committed(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(leftovers(run_.path()).size(), 1u) << "only the superseded one should be left";
}

TEST_F(CheckpointTest, AllMismatchesAreListedAtOnce) {
  save_steps({1});
  auto entries = entries_of(tensors_);
  entries[0].name = "renamed/value";
  entries[1].local = Tensor::zeros(stream_, {7, 13});
  entries[1].shard.global_extent = 13;
  try {
    load_newest_checkpoint(*world_, run_.path(), entries);
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                testing::AllOf(HasSubstr("missing: renamed/value [10, 6]"),
                               HasSubstr("unexpected: LLM.layers.0.rows.weight/value"),
                               HasSubstr("expected f32 [7, 13], found f32 [7, 12]")));
  }
}

TEST_F(CheckpointTest, PartialLoadWhenAllowed) {
  save_steps({1});
  auto entries = entries_of(tensors_);
  entries.resize(3);
  entries.push_back({"new/value", Tensor::zeros(stream_, {2}), {}});
  entries.back().local.data<float>()[1] = 5.f;
  for (size_t i = 0; i < 3; ++i) tensors_[i].scramble();
  LoadOptions options;
  options.may_be_missing = [](const std::string& name) { return name == "new/value"; };
  options.may_be_unused = [](const std::string&) { return true; };
  load_checkpoint(*world_, checkpoint_path(run_.path(), 1), entries, options);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(tensors_[i].wrong(1), 0);
  EXPECT_EQ(entries.back().local.data<float>()[1], 5.f);
}

TEST_F(CheckpointTest, RefusalByTheCallerDoesNotLoadAnOlderOne) {
  save_steps({1, 2});
  LoadOptions options;
  options.accept = [](const Manifest& manifest) {
    throw UsageError("step {} has another config", manifest.step);
  };
  try {
    load(options);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("step 2 has another config"));
  }
}

TEST_F(CheckpointTest, ExistingStepIsNotOverwritten) {
  save_steps({1});
  const std::string before = read_text(checkpoint_path(run_.path(), 1) / kManifestName);
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  const SaveResult result = save(store, 1);
  EXPECT_FALSE(result.committed);
  EXPECT_THAT(result.message, HasSubstr("already exists"));
  EXPECT_EQ(read_text(checkpoint_path(run_.path(), 1) / kManifestName), before);
  EXPECT_TRUE(save(store, 2).committed);
}

TEST_F(CheckpointTest, TooLittleSpaceIsReportedBeforeTheFirstByte) {
  save_steps({1});
  CheckpointStore store(*world_, {.run_directory = run_.path(), .space_factor = 1e12});
  const SaveResult result = save(store, 2);
  EXPECT_FALSE(result.committed);
  EXPECT_THAT(result.message, testing::AllOf(HasSubstr("rank 0"), HasSubstr("no space left"),
                                             HasSubstr(run_.path().string())));
  EXPECT_EQ(load()->manifest.step, 1);
}

TEST_F(CheckpointTest, ExceededLimitFailsTheSaveAndTheNextOneSucceeds) {
  tensors_ = local_tensors(model_tensors(true), {}, 0, stream_);
  save_steps({1});
  CheckpointStore store(*world_, {.run_directory = run_.path()});
  const uint64_t size = fs::file_size(state(1));
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  for (const double share : {0.0001, 0.1, 0.3, 0.6, 0.9, 0.999}) {
    rlimit limit = before;
    limit.rlim_cur = static_cast<rlim_t>(share * static_cast<double>(size));
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const SaveResult result = save(store, 2);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_FALSE(result.committed) << share;
    EXPECT_THAT(result.message, HasSubstr("File too large")) << share;
    EXPECT_THAT(leftovers(run_.path()), IsEmpty()) << share;
    EXPECT_EQ(committed(), std::vector<int64_t>{1});
  }
  EXPECT_TRUE(save(store, 2).committed);
  EXPECT_EQ(load()->manifest.step, 2);
  EXPECT_EQ(wrong(2), 0);
}

TEST_F(CheckpointTest, LostLeaseCommitsNothing) {
  LeaseOptions lease_options;
  lease_options.take_over = true;
  const auto lease = acquire_run_lease(run_.path(), lease_options);
  CheckpointStore store(*world_, {.run_directory = run_.path(), .lease = lease.get()});
  ASSERT_TRUE(save(store, 1).committed);
  const auto successor = acquire_run_lease(run_.path(), lease_options);
  const SaveResult result = save(store, 2);
  EXPECT_FALSE(result.committed);
  EXPECT_THAT(result.message, HasSubstr("lease"));
  EXPECT_EQ(committed(), std::vector<int64_t>{1});
}

TEST_F(CheckpointTest, ARequestToStopLeavesALoadButNoSave) {
  set_stop_requested(true);
  save_steps({1, 2, 3, 4});  // the last ones read earlier checkpoints back
  EXPECT_EQ(committed(), (std::vector<int64_t>{4, 3}));
  try {
    load();
    ADD_FAILURE() << "the request was not seen";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kRequeue) << error.what();
  }
  set_stop_requested(false);
  EXPECT_EQ(load()->manifest.step, 4);
}

TEST_F(CheckpointTest, RetentionKeepsTheLastAndEveryKth) {
  save_steps({10, 15, 20, 25, 30, 35}, 2, 20);
  EXPECT_EQ(committed(), (std::vector<int64_t>{35, 30, 20}));
  EXPECT_THAT(leftovers(run_.path()), IsEmpty());
}

TEST_F(CheckpointTest, RetentionNeverRemovesTheLastTwoIntactOnes) {
  save_steps({1, 2}, 5);
  save_steps({3}, 5);
  flip_bit(state(2), fs::file_size(state(2)) / 2, 3);
  flip_bit(state(3), fs::file_size(state(3)) / 2, 3);
  save_steps({4});  // 4 and 1 are intact
  EXPECT_EQ(committed(), (std::vector<int64_t>{4, 3, 2, 1}));
  save_steps({5, 6});
  EXPECT_EQ(committed(), (std::vector<int64_t>{6, 5}));
}

TEST_F(CheckpointTest, NoneIsRemovedWhileOnlyOneIsIntact) {
  save_steps({1, 2, 3}, 5);
  for (const int64_t step : {1, 2, 3}) flip_bit(state(step), fs::file_size(state(step)) / 2, 3);
  save_steps({4});
  EXPECT_EQ(committed(), (std::vector<int64_t>{4, 3, 2, 1}));
}

TEST_F(CheckpointTest, CheckpointsOfAnotherHistoryAreMovedAway) {
  save_steps({1, 2, 3}, 5);
  CheckpointStore store(*world_, {.run_directory = run_.path(), .keep_last = 5});
  EXPECT_EQ(store.set_aside_newer(1).size(), 2u);
  EXPECT_EQ(load()->manifest.step, 1);
  EXPECT_TRUE(save(store, 2).committed);
  EXPECT_EQ(store.set_aside_newer(1).size(), 1u);
  EXPECT_EQ(leftovers(run_.path()).size(), 3u);
}

}  // namespace
}  // namespace lynceus::io
