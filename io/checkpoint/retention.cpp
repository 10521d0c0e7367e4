#include "io/checkpoint/retention.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/reader.h"
#include "io/files/file.h"
#include "parallel/agreement.h"
#include "parallel/communicator.h"

namespace lynceus::io {

namespace fs = std::filesystem;
using parallel::agreed_failure;
using parallel::failure_of;

namespace {

int64_t step_of(const fs::path& checkpoint) {
  return step_in(checkpoint.filename(), kStepPrefix).value_or(-1);
}

/// Called on rank 0.
void remove_checkpoint(const fs::path& checkpoint) {
  const fs::path doomed =
      checkpoint.parent_path() / (".removing-" + checkpoint.filename().string());
  std::error_code ignored;
  fs::remove_all(doomed, ignored);
  rename_file(checkpoint, doomed);
  LYNCEUS_FAULT_POINT("checkpoint.removing");
  fs::remove_all(doomed);
}

}  // namespace

Retention::Retention(parallel::Communicator& world, fs::path run_directory, int keep_last,
                     int64_t keep_every)
    : world_(world),
      run_directory_(std::move(run_directory)),
      keep_last_(std::max(keep_last, 2)),
      keep_every_(keep_every) {}

bool Retention::verified(const fs::path& checkpoint) {
  if (verified_.contains(checkpoint)) return true;
  try {
    verify_checkpoint(world_, checkpoint);
    verified_.insert(checkpoint);
    return true;
  } catch (const Error& error) {  // the same on every rank
    if (world_.rank() == 0)
      log::warn("a checkpoint failed verification and is kept: {}", error.what());
    return false;
  }
}

void Retention::remove_old() {
  std::string names;
  std::string failure;
  if (world_.rank() == 0)
    failure = failure_of([&] {
      LYNCEUS_FAULT_POINT("checkpoint.before_retention");
      for (const fs::path& path : committed_checkpoints(run_directory_))
        names += fmt::format("{}\n", step_of(path));
    });
  failure = agreed_failure(world_, failure);
  if (!failure.empty()) {
    if (world_.rank() == 0) log::warn("old checkpoints are not removed: {}", failure);
    return;
  }
  names = world_.broadcast(names, 0);
  std::vector<int64_t> steps;  // newest first
  for (size_t begin = 0; begin < names.size(); begin = names.find('\n', begin) + 1)
    steps.push_back(std::stoll(names.substr(begin)));
  const auto keep_last = static_cast<size_t>(keep_last_);
  if (steps.size() <= keep_last) return;

  int64_t oldest_needed = -1;
  int intact = 0;
  for (const int64_t step : steps) {
    if (!verified(checkpoint_path(run_directory_, step))) continue;
    oldest_needed = step;
    if (++intact == 2) break;
  }
  if (intact < 2) return;
  if (world_.rank() == 0)
    failure = failure_of([&] {
      for (size_t i = keep_last; i < steps.size(); ++i) {
        const bool kept = keep_every_ > 0 && steps[i] % keep_every_ == 0;
        if (steps[i] < oldest_needed && !kept)
          remove_checkpoint(checkpoint_path(run_directory_, steps[i]));
      }
      for (const fs::path& path : entries_with(run_directory_, kSupersededPrefix))
        if (step_in(path.filename(), kSupersededPrefix).value_or(oldest_needed) < oldest_needed)
          remove_checkpoint(path);
    });
  if (!failure.empty()) log::warn("old checkpoints are not removed: {}", failure);
  world_.barrier();
}

std::vector<fs::path> set_aside_newer(parallel::Communicator& world, const fs::path& run_directory,
                                      int64_t step) {
  std::string renamed;
  parallel::agree(world, [&] {
    if (world.rank() != 0) return;
    for (const fs::path& path : entries_with(run_directory, kStepPrefix)) {
      if (step_of(path) <= step) continue;
      const std::string name = "superseded-" + path.filename().string();
      fs::path away = path.parent_path() / name;
      for (int copy = 2; fs::exists(away); ++copy)
        away = path.parent_path() / fmt::format("{}-{}", name, copy);
      rename_new(path, away);
      renamed += away.string() + "\n";
    }
    if (!renamed.empty()) sync_directory(run_directory / "checkpoints");
  });
  renamed = world.broadcast(renamed, 0);
  std::vector<fs::path> paths;
  for (size_t begin = 0; begin < renamed.size();) {
    const size_t end = renamed.find('\n', begin);
    paths.emplace_back(renamed.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

}  // namespace lynceus::io
