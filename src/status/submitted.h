// What `lynceus submit` has left in a folder: for jobs whose run has written nothing yet.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lynceus::status {

struct Submitted {
  bool has_text = false;                        ///< job.sbatch
  std::vector<std::string> ids;                 ///< of job.ids, the jobs of the last submission
  std::optional<std::filesystem::path> output;  ///< the newest slurm-*.out
  bool has_runs = false;                        ///< runs in folders of their own
};

Submitted find_submitted(const std::filesystem::path& folder);

}  // namespace lynceus::status
