#include "status/submitted.h"

#include <algorithm>
#include <sstream>
#include <system_error>

#include "io/files/file.h"
#include "train/incarnation/record.h"

namespace lynceus::status {
namespace {

namespace fs = std::filesystem;

bool is_output(const fs::path& path) {
  return path.filename().string().starts_with("slurm-") && path.extension() == ".out";
}

}  // namespace

Submitted find_submitted(const fs::path& folder) {
  Submitted found;
  std::error_code ignored;
  found.has_text = fs::exists(folder / "job.sbatch", ignored);
  if (io::file_exists(folder / "job.ids")) {
    std::istringstream ids(io::read_text(folder / "job.ids"));
    for (std::string id; ids >> id;) found.ids.push_back(id);
  }
  fs::file_time_type newest;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored) &&
        (fs::exists(entry.path() / "config.ini", ignored) ||
         fs::exists(entry.path() / train::kIncarnationsName, ignored)))
      found.has_runs = true;
    if (!is_output(entry.path())) continue;
    const auto written = entry.last_write_time(ignored);
    if (!found.output || written > newest) found.output = entry.path();
    newest = std::max(newest, written);
  }
  return found;
}

}  // namespace lynceus::status
