// Rank 0 looks into the folders: on a network file system other ranks may see them later.
#include "train/run/checkpoint_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "core/log.h"
#include "io/checkpoint/checkpoint.h"
#include "io/files/lease.h"
#include "parallel/agreement.h"
#include "train/incarnation/record.h"

namespace lynceus::train {
namespace {

namespace fs = std::filesystem;

std::vector<int64_t> steps_of(const fs::path& run) {
  std::vector<int64_t> steps;
  for (const fs::path& checkpoint : io::committed_checkpoints(run))
    if (const auto step = io::step_in(checkpoint.filename().string(), io::kStepPrefix))
      steps.push_back(*step);
  std::reverse(steps.begin(), steps.end());
  return steps;
}

/// "it has those of the steps 100, 200".
std::string what_exists(const fs::path& run) {
  const std::vector<int64_t> steps = steps_of(run);
  if (steps.empty()) return "it has no committed checkpoint";
  return fmt::format("it has {} {}", steps.size() == 1 ? "that of step" : "those of the steps",
                     fmt::join(steps, ", "));
}

/// The text of the first manifest that can be read; empty: none.
std::string manifest_text(const RunOptions& options) {
  std::vector<fs::path> candidates;
  try {
    if (options.resume == "auto")
      candidates = io::committed_checkpoints(options.run);
    else
      candidates = {io::checkpoint_path(options.run, std::stoll(options.resume))};
  } catch (const std::exception&) {
    return "";
  }
  for (const fs::path& candidate : candidates) try {
      return io::to_text(io::read_manifest(candidate));
    } catch (const Error&) {
      continue;
    }
  return "";
}

std::string resolve_init(const fs::path& init) {
  std::error_code ignored;
  if (fs::is_directory(init / "checkpoints", ignored)) {
    const std::vector<fs::path> checkpoints = io::committed_checkpoints(init);
    if (checkpoints.empty())
      throw InputError("init: expected a run with a committed checkpoint, but {} has none",
                       init.string());
    return checkpoints.front().string();
  }
  const fs::path named = init.has_filename() ? init : init.parent_path();
  const fs::path folder = named.parent_path();
  if (!fs::exists(named, ignored) && folder.filename() == "checkpoints")
    throw InputError("init: {} has no {}: {}", folder.parent_path().string(),
                     named.filename().string(), what_exists(folder.parent_path()));
  if (!fs::exists(named, ignored))
    throw InputError("init: {}: expected a run, a checkpoint or a file of weights, found none",
                     init.string());
  return init.string();
}

/// Those that earlier starts of this job have followed, as options: "--resume --take-over".
std::string followed_options(const RunOptions& options) {
  const EarlierStarts earlier =
      earlier_starts_of_job(read_incarnations(options.run), io::this_process());
  std::string followed;
  if (earlier.continued && options.resume != "auto") followed += " --resume";
  if (earlier.began && options.take_over) followed += " --take-over";
  if (earlier.began && options.restart_anyway) followed += " --restart-anyway";
  return followed;
}

}  // namespace

void take_back_followed_options(parallel::Communicator& world, RunOptions* options) {
  std::string followed;
  parallel::agree(world, [&] {
    if (world.rank() == 0) followed = followed_options(*options);
  });
  followed = world.broadcast(followed, 0);
  if (followed.empty()) return;
  const auto has = [&](const char* option) { return followed.find(option) != std::string::npos; };
  if (has("--resume")) options->resume = "auto";
  if (has("--take-over")) options->take_over = false;
  if (has("--restart-anyway")) options->restart_anyway = false;
  if (world.rank() == 0)
    log::info(
        "a later start of job {}: an earlier one has followed{}, which this one leaves out; it "
        "continues from the newest checkpoint",
        io::this_process().job, followed);
}

std::optional<io::Manifest> selected_manifest(parallel::Communicator& world,
                                              const RunOptions& options) {
  if (options.resume == "never") return std::nullopt;
  const std::string mine = world.rank() == 0 ? manifest_text(options) : "";
  const std::string text = world.broadcast(mine, 0);
  if (text.empty()) return std::nullopt;
  return io::parse_manifest(text, options.run);
}

std::string checkpoint_to_start_from(parallel::Communicator& world, const std::string& init) {
  std::string resolved;
  parallel::agree(world, [&] {
    if (world.rank() == 0) resolved = resolve_init(init);
  });
  return world.broadcast(resolved, 0);
}

void expect_checkpoint(parallel::Communicator& world, const std::string& run, int64_t step) {
  parallel::agree(world, [&] {
    if (world.rank() != 0) return;
    const std::vector<int64_t> steps = steps_of(run);
    if (std::find(steps.begin(), steps.end(), step) == steps.end())
      throw InputError("resume: {} has no committed checkpoint of step {}: {}", run, step,
                       what_exists(run));
  });
}

}  // namespace lynceus::train
