// Which checkpoints a run has, which of them stay, and how one goes away: renamed first, so that a
// half-deleted one is never taken for a checkpoint.
#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/file.h"
#include "io/files/file.h"
#include "parallel/agreement.h"

namespace lynceus::io {

namespace fs = std::filesystem;
using parallel::agreed_failure;
using parallel::failure_of;

namespace {

constexpr std::string_view kStepPrefix = "step-";
constexpr std::string_view kSupersededPrefix = "superseded-step-";

/// The number behind `prefix`; nothing if the name is not of that form.
std::optional<int64_t> step_in(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = std::string_view(name).substr(prefix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end - digits.data() < 8 || step < 0) return std::nullopt;
  const bool whole = end == digits.data() + digits.size();
  if (!whole && prefix == kStepPrefix) return std::nullopt;
  return step;
}

int64_t step_of(const fs::path& checkpoint) {
  return step_in(checkpoint.filename(), kStepPrefix).value_or(-1);
}

/// Entries of RUN/checkpoints whose name is a step behind `prefix`, newest first.
std::vector<fs::path> steps_with(const fs::path& run_directory, std::string_view prefix) {
  std::vector<std::pair<int64_t, fs::path>> found;
  const fs::path checkpoints = run_directory / "checkpoints";
  if (file_exists(checkpoints))
    for (const auto& entry : fs::directory_iterator(checkpoints))
      if (const auto step = step_in(entry.path().filename(), prefix))
        found.emplace_back(*step, entry.path());
  std::sort(found.rbegin(), found.rend());
  std::vector<fs::path> paths;
  paths.reserve(found.size());
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

}  // namespace

fs::path checkpoint_path(const fs::path& run_directory, int64_t step) {
  return run_directory / "checkpoints" / fmt::format("{}{:08}", kStepPrefix, step);
}

std::vector<fs::path> committed_checkpoints(const fs::path& run_directory) {
  std::vector<fs::path> checkpoints = steps_with(run_directory, kStepPrefix);
  std::erase_if(checkpoints,
                [](const fs::path& path) { return !file_exists(path / kManifestName); });
  return checkpoints;
}

std::vector<fs::path> CheckpointStore::set_aside_newer(int64_t step) {
  std::string renamed;
  parallel::agree(world_, [&] {
    if (world_.rank() != 0) return;
    for (const fs::path& path : steps_with(options_.run_directory, kStepPrefix)) {
      if (step_of(path) <= step) continue;
      const std::string name = "superseded-" + path.filename().string();
      fs::path away = path.parent_path() / name;
      for (int copy = 2; fs::exists(away); ++copy)
        away = path.parent_path() / fmt::format("{}-{}", name, copy);
      rename_new(path, away);
      renamed += away.string() + "\n";
    }
    if (!renamed.empty()) sync_directory(options_.run_directory / "checkpoints");
  });
  renamed = world_.broadcast(renamed, 0);
  std::vector<fs::path> paths;
  for (size_t begin = 0; begin < renamed.size();) {
    const size_t end = renamed.find('\n', begin);
    paths.emplace_back(renamed.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

bool CheckpointStore::verified(const fs::path& checkpoint) {
  if (verified_.contains(checkpoint)) return true;
  try {
    verify_checkpoint(world_, checkpoint);
    verified_.insert(checkpoint);
    return true;
  } catch (const Error& error) {  // the same on every rank
    if (world_.rank() == 0) log::warn("kept, but not read back whole: {}", error.what());
    return false;
  }
}

/// Rank 0.
void CheckpointStore::remove(const fs::path& checkpoint) {
  const fs::path doomed =
      checkpoint.parent_path() / (".removing-" + checkpoint.filename().string());
  std::error_code ignored;
  fs::remove_all(doomed, ignored);
  rename_file(checkpoint, doomed);
  LYNCEUS_FAULT_POINT("checkpoint.removing");
  fs::remove_all(doomed);
}

/// Collective, over when rank 0 is. Failure to remove costs space, never a save.
void CheckpointStore::retain() {
  std::string names;
  std::string failure;
  if (world_.rank() == 0)
    failure = failure_of([&] {
      LYNCEUS_FAULT_POINT("checkpoint.before_retention");
      for (const fs::path& path : committed_checkpoints(options_.run_directory))
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
  const auto keep_last = static_cast<size_t>(options_.keep_last);
  if (steps.size() <= keep_last) return;

  // Nothing goes that is not older than two checkpoints that were read back whole.
  int64_t oldest_needed = -1;
  int whole = 0;
  for (const int64_t step : steps) {
    if (!verified(checkpoint_path(options_.run_directory, step))) continue;
    oldest_needed = step;
    if (++whole == 2) break;
  }
  if (whole < 2) return;
  if (world_.rank() == 0)
    failure = failure_of([&] {
      for (size_t i = keep_last; i < steps.size(); ++i) {
        const bool kept = options_.keep_every > 0 && steps[i] % options_.keep_every == 0;
        if (steps[i] < oldest_needed && !kept)
          remove(checkpoint_path(options_.run_directory, steps[i]));
      }
      for (const fs::path& path : steps_with(options_.run_directory, kSupersededPrefix))
        if (step_in(path.filename(), kSupersededPrefix).value_or(oldest_needed) < oldest_needed)
          remove(path);
    });
  if (!failure.empty()) log::warn("old checkpoints are not removed: {}", failure);
  world_.barrier();
}

}  // namespace lynceus::io
