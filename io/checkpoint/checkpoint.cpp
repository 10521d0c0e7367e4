#include "io/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/error.h"
#include "io/checkpoint/manifest.h"
#include "io/files/file.h"

namespace lynceus::io {

namespace fs = std::filesystem;

CheckpointTensor checkpoint_tensor(const Parameter& parameter) {
  return checkpoint_tensor(parameter, "value", parameter.value);
}

CheckpointTensor checkpoint_tensor(const Parameter& parameter, const std::string& kind,
                                   const Tensor& local) {
  return {parameter.name + "/" + kind, local, parameter.shard};
}

fs::path checkpoint_path(const fs::path& run_directory, int64_t step) {
  return run_directory / "checkpoints" / fmt::format("{}{:08}", kStepPrefix, step);
}

std::vector<fs::path> committed_checkpoints(const fs::path& run_directory) {
  std::vector<fs::path> checkpoints = entries_with(run_directory, kStepPrefix);
  std::erase_if(checkpoints,
                [](const fs::path& path) { return !file_exists(path / kManifestName); });
  return checkpoints;
}

std::optional<int64_t> step_in(const std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::string_view digits = std::string_view(name).substr(prefix.size());
  int64_t step = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  if (error != std::errc() || end - digits.data() < 8 || step < 0) return std::nullopt;
  // Names of superseded checkpoints may end in "-2", "-3", ...
  const bool at_end = end == digits.data() + digits.size();
  if (!at_end && prefix == kStepPrefix) return std::nullopt;
  return step;
}

std::vector<fs::path> entries_with(const fs::path& run_directory, std::string_view prefix) {
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

}  // namespace lynceus::io
