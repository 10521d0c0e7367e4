// Writes a checkpoint from all ranks and commits it. A failure on any rank is a failure on all
// ranks.
#include "io/checkpoint/writer.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "core/process/free_memory.h"
#include "core/text/units.h"
#include "io/checkpoint/exchange.h"
#include "io/checkpoint/reader.h"
#include "io/checkpoint/run_lease.h"
#include "io/checkpoint/state_file.h"
#include "io/files/hdf5.h"
#include "parallel/agreement.h"

namespace lynceus::io {

namespace fs = std::filesystem;
using parallel::agreed_failure;
using parallel::failure_of;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The rows of `tensors`, from the ranks that hold them. `world`, `plans` and `tensors` must
/// outlive it.
RowsOf exchanged(parallel::Communicator& world, const std::vector<TensorPlan>& plans,
                 std::span<const CheckpointTensor> tensors) {
  std::map<std::string, const CheckpointTensor*> by_name;
  for (const CheckpointTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  return [&world, &plans, by_name = std::move(by_name)](size_t i) {
    const auto mine = by_name.find(plans[i].name);
    return gather_owned(world, plans[i], mine == by_name.end() ? nullptr : mine->second, Stream());
  };
}

/// More than one rank has open at once while it saves, the library's files included.
constexpr uint64_t kOpenFiles = 16;

/// Estimated size of the HDF5 structures and the manifest, per tensor.
constexpr uint64_t kFrameBytesPerTensor = 1024;

/// IoError if `directory` has no room for `count` checkpoints of `bytes` and, for what the estimate
/// leaves out, a further (factor - 1) * bytes. Returns the free bytes. The free space that the file
/// system reports ignores this user's quota and limits, so the space is reserved and released.
/// Failing here is better than later: HDF5 can crash if it cannot extend a file while closing it.
uint64_t check_space(const fs::path& directory, uint64_t bytes, int count, double factor) {
  const uint64_t free = fs::space(directory).available;
  const auto last = static_cast<uint64_t>(static_cast<double>(bytes) * factor);
  if (last == 0) return free;
  const uint64_t needed = bytes * static_cast<uint64_t>(count - 1) + last;
  if (free < needed)
    throw IoError("{}: no space left for {}: {} needed, {} free", directory.string(),
                  count == 1 ? "a checkpoint" : fmt::format("{} checkpoints", count),
                  bytes_text(needed), bytes_text(free));
  std::vector<File> files;
  for (int i = 0; i < count; ++i) {
    files.push_back(File::create(directory / fmt::format(".space-{}", i)));
    files.back().reserve(i == 0 ? last : bytes);
  }
  for (File& file : files) {
    file.close();
    fs::remove(file.path());
  }
  return free;
}

/// What a trial save writes: a few rows of every rank.
std::vector<CheckpointTensor> trial_tensors(int rank) {
  constexpr int64_t kRows = 2, kColumns = 512;
  const Tensor rows = Tensor::zeros(Stream(), {kRows, kColumns});
  for (float& element : rows.span<float>()) element = static_cast<float>(rank + 1);
  return {{fmt::format("trial/{}/value", rank), rows, TensorShard()}};
}

uint64_t estimated_bytes(const std::vector<TensorPlan>& plans) {
  uint64_t bytes = 0;
  for (const TensorPlan& plan : plans) bytes += plan.bytes() + kFrameBytesPerTensor;
  return bytes;
}

fs::path staging_path(const fs::path& run_directory, const std::string& token) {
  return run_directory / "checkpoints" / (".staging-" + token);
}

/// A link for users; a save succeeds without it.
void point_latest_at(const fs::path& checkpoint) {
  const fs::path link = checkpoint.parent_path() / "latest";
  fs::path temporary = link;
  temporary += ".tmp";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_directory_symlink(checkpoint.filename(), temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) log::warn("{}: cannot link: {}", link.string(), error.message());
}

}  // namespace

CheckpointStore::CheckpointStore(parallel::Communicator& world, CheckpointOptions options)
    : world_(world),
      options_(std::move(options)),
      retention_(world, options_.run_directory, options_.keep_last, options_.keep_every) {
  parallel::agree(world_, [&] {
    if (world_.rank() != 0) return;
    const fs::path checkpoints = options_.run_directory / "checkpoints";
    std::error_code error;
    fs::create_directories(checkpoints, error);
    if (error) throw IoError("{}: cannot create: {}", checkpoints.string(), error.message());
    token_ = options_.lease == nullptr ? this_process().token : options_.lease->token();
    sweep_staging(checkpoints, token_, true);
  });
  token_ = world_.broadcast(token_, 0);
}

/// Rank 0: every check that is possible before the first byte is written.
std::string CheckpointStore::stage(const fs::path& target, uint64_t bytes) {
  return failure_of([&] {
    LYNCEUS_FAULT_POINT("checkpoint.begin");
    if (world_.rank() != 0) return;
    if (options_.lease != nullptr) options_.lease->confirm();
    if (fs::exists(fs::symlink_status(target)))
      throw IoError("{}: a checkpoint of this step already exists", target.string());
    const fs::path staging = staging_path(options_.run_directory, token_);
    fs::remove_all(staging);
    fs::create_directories(staging / target.filename());
    check_space(staging, bytes, 1, options_.space_factor);
    LYNCEUS_FAULT_POINT("checkpoint.staged");
  });
}

/// Rank 0: turns the complete files in the staging directory into a committed checkpoint.
void CheckpointStore::commit(const Manifest& manifest, const fs::path& target) {
  const fs::path staged = staging_path(options_.run_directory, token_) / target.filename();
  sync_directory(staged);
  LYNCEUS_FAULT_POINT("checkpoint.before_manifest");
  if (options_.lease != nullptr) options_.lease->confirm();
  atomic_write_text(staged / kManifestName, to_text(manifest));
  LYNCEUS_FAULT_POINT("checkpoint.before_rename");
  rename_new(staged, target);
  try {
    LYNCEUS_FAULT_POINT("checkpoint.after_rename");
    sync_directory(target.parent_path());
  } catch (...) {
    // Without this sync a crash may undo the rename: what is not durable is not committed.
    rename_file(target, staged);
    throw;
  }
  std::error_code ignored;
  fs::remove(staged.parent_path(), ignored);
}

void CheckpointStore::discard_staging() {
  if (world_.rank() != 0) return;
  const fs::path staging = staging_path(options_.run_directory, token_);
  std::error_code error;
  fs::remove_all(staging, error);
  if (error) log::warn("{}: cannot remove: {}", staging.string(), error.message());
}

std::vector<TensorPlan> CheckpointStore::plan(std::span<const CheckpointTensor> tensors) {
  std::string description;
  parallel::agree(world_, [&] { description = describe_tensors(tensors); });
  const auto is_same = static_cast<int64_t>(description == description_);
  if (world_.all_reduce(is_same, parallel::ReduceOp::kMin) == 0) {
    plans_ = plan_tensors(world_.all_gather(description));
    description_ = description;
  }
  return plans_;
}

std::string CheckpointStore::write(Manifest manifest, const std::vector<TensorPlan>& plans,
                                   const RowsOf& rows, const fs::path& target) {
  const hdf5::LibraryTurn turn;
  std::string failure = agreed_failure(world_, stage(target, estimated_bytes(plans)));
  if (failure.empty()) {
    const fs::path staged = staging_path(options_.run_directory, token_) / target.filename();
    StateFile state(world_, plans, (staged / kStateFileName).string());
    failure = state.write(rows, options_.space_factor > 0, manifest);
  }
  if (failure.empty()) {
    if (world_.rank() == 0) failure = failure_of([&] { commit(manifest, target); });
    failure = agreed_failure(world_, failure);
  }
  if (!failure.empty()) discard_staging();
  return failure;
}

SaveResult CheckpointStore::save(Manifest manifest, std::span<const CheckpointTensor> tensors) {
  const auto begin = Clock::now();
  const std::vector<TensorPlan> plans = plan(tensors);
  SaveResult result = save(std::move(manifest), plans, exchanged(world_, plans, tensors));
  result.seconds = seconds_since(begin);
  return result;
}

Snapshot CheckpointStore::take_snapshot(Manifest manifest,
                                        std::span<const CheckpointTensor> tensors,
                                        const StagingMemory& memory) {
  const auto begin = Clock::now();
  Snapshot snapshot{std::move(manifest), plan(tensors), {}, 0};
  snapshot.rows = stage_rows(world_, snapshot.plans, tensors, memory);
  LYNCEUS_FAULT_POINT("checkpoint.snapshot");
  snapshot.seconds = seconds_since(begin);
  return snapshot;
}

SaveResult CheckpointStore::save(const Snapshot& snapshot) {
  return save(snapshot.manifest, snapshot.plans, [&](size_t plan) { return snapshot.rows[plan]; });
}

SaveResult CheckpointStore::save(Manifest manifest, const std::vector<TensorPlan>& plans,
                                 const RowsOf& rows) {
  const auto begin = Clock::now();
  const hdf5::LibraryTurn turn;
  const fs::path target = checkpoint_path(options_.run_directory, manifest.step);
  SaveResult result;
  result.message = write(std::move(manifest), plans, rows, target);
  result.committed = result.message.empty();
  if (result.committed) {
    result.path = target;
    result.bytes = estimated_bytes(plans);
    if (world_.rank() == 0) point_latest_at(target);
    retention_.forget(target);
    retention_.remove_old();
  }
  result.seconds = seconds_since(begin);
  return result;
}

/// The oldest checkpoint is removed after a new one is committed, so there is one more for a
/// moment.
void CheckpointStore::warn_of_narrow_space(const TrialResult& trial, int64_t existing) const {
  const int64_t most = int64_t{options_.keep_last} + 1;
  const int64_t to_come = std::max<int64_t>(1, most - existing);
  if (trial.free_bytes / std::max<uint64_t>(1, trial.checkpoint_bytes) >=
      static_cast<uint64_t>(to_come))
    return;
  log::warn(
      "{}: {} free, less than the {} that {} more checkpoints of this run take "
      "(checkpoint.keep_last = {}, and one more while the oldest is removed)",
      options_.run_directory.string(), bytes_text(trial.free_bytes),
      bytes_text(trial.checkpoint_bytes * static_cast<uint64_t>(to_come)), to_come,
      options_.keep_last);
}

TrialResult CheckpointStore::try_out(std::span<const CheckpointTensor> tensors) {
  TrialResult result;
  const std::vector<TensorPlan> plans = plan(tensors);
  result.checkpoint_bytes = estimated_bytes(plans);
  result.staging_bytes = staging_bytes(plans, world_.rank());
  const fs::path checkpoints = options_.run_directory / "checkpoints";
  const fs::path target = checkpoints / kTrialName;
  std::string failure = agreed_failure(world_, failure_of([] { expect_open_files(kOpenFiles); }));
  if (failure.empty() && world_.rank() == 0)
    failure = failure_of([&] {
      fs::remove_all(target);
      const fs::path staging = staging_path(options_.run_directory, token_);
      fs::create_directories(staging);
      const auto existing = std::ssize(committed_checkpoints(options_.run_directory));
      result.free_bytes = check_space(staging, result.checkpoint_bytes, existing > 0 ? 1 : 2,
                                      options_.space_factor);
      warn_of_narrow_space(result, existing);
    });
  failure = agreed_failure(world_, failure);
  if (failure.empty()) {
    const std::vector<CheckpointTensor> trial = trial_tensors(world_.rank());
    const std::vector<TensorPlan> trial_plans = plan(trial);
    failure = write(Manifest(), trial_plans, exchanged(world_, trial_plans, trial), target);
  }
  if (failure.empty()) failure = failure_of([&] { verify_checkpoint(world_, target); });
  if (failure.empty()) {
    if (world_.rank() == 0) failure = failure_of([&] { fs::remove_all(target); });
    failure = agreed_failure(world_, failure);
  }
  discard_staging();
  if (!failure.empty())
    throw parallel::AgreedError(
        ExitCode::kIo, fmt::format("{}: this folder cannot hold the checkpoints of the run: {}",
                                   checkpoints.string(), failure));
  return result;
}

void CheckpointStore::set_left_out(int64_t step, const std::vector<LeftOutStep>& left_out) {
  parallel::agree(world_, [&] {
    if (world_.rank() != 0) return;
    if (options_.lease != nullptr) options_.lease->confirm();
    const fs::path checkpoint = checkpoint_path(options_.run_directory, step);
    Manifest manifest = read_manifest(checkpoint);
    manifest.left_out = left_out;
    atomic_write_text(checkpoint / kManifestName, to_text(manifest));
  });
}

std::vector<fs::path> CheckpointStore::set_aside_newer(int64_t step) {
  return io::set_aside_newer(world_, options_.run_directory, step);
}

}  // namespace lynceus::io
