#include "io/checkpoint/run_lease.h"

#include <utility>

#include "core/log.h"
#include "io/files/file.h"

namespace lynceus::io {

namespace fs = std::filesystem;

std::unique_ptr<Lease> acquire_run_lease(const fs::path& run_directory, LeaseOptions options) {
  options.directory_is = "run directory";
  options.advice = "choose another --run, or pass --take-over if you are certain that it is gone";
  options.disarm_former_owner = [&](const std::string& token) {
    sweep_staging(run_directory / "checkpoints", token, false);
  };
  return Lease::acquire(run_directory, options);
}

void sweep_staging(const fs::path& checkpoints, const std::string& token, bool remove) {
  if (!fs::exists(checkpoints)) return;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const std::string name = entry.path().filename();
    constexpr std::string_view kStaging = ".staging-";
    if (!name.starts_with(kStaging) || name.substr(kStaging.size()) == token) continue;
    fs::path away = checkpoints / (".abandoned-" + name.substr(kStaging.size()));
    for (int copy = 2; fs::exists(away); ++copy)
      away = checkpoints / fmt::format(".abandoned-{}-{}", name.substr(kStaging.size()), copy);
    rename_file(entry.path(), away);
  }
  if (!remove) return;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(".abandoned-") && !name.starts_with(".removing-")) continue;
    std::error_code error;  // not an error: a leftover only uses space
    fs::remove_all(entry.path(), error);
    if (error) log::warn("{}: cannot remove: {}", entry.path().string(), error.message());
  }
}

}  // namespace lynceus::io
