// The command that starts the ranks of one machine.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lynceus::parallel {

struct LocalLaunch {
  int ranks = 1;
  int cores = 1;                  ///< physical ones; with more ranks mpirun must be told
  bool is_root = false;           ///< mpirun refuses to run as root unless told otherwise
  std::filesystem::path session;  ///< folder for the files of Open MPI
};

/// mpirun of Open MPI 4 with the settings for one machine, followed by `program`.
std::vector<std::string> mpirun_command(const LocalLaunch& launch,
                                        const std::vector<std::string>& program);

}  // namespace lynceus::parallel
