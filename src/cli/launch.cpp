#include "cli/launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/command.h"
#include "core/cores.h"
#include "parallel/launch/launch_environment.h"
#include "parallel/launch/launcher.h"

namespace lynceus::cli {
namespace {

constexpr const char* kCommandsOnRanks[] = {"train",  "generate", "evaluate",
                                            "verify", "prepare",  "doctor"};

std::optional<int> launch(const char* program, Arguments arguments) {
  const std::string command = arguments.empty() ? "" : arguments.front();
  const auto ranks = parallel::take_ranks(&arguments);
  if (!ranks) return std::nullopt;
  if (std::find(std::begin(kCommandsOnRanks), std::end(kCommandsOnRanks), command) ==
      std::end(kCommandsOnRanks))
    throw UsageError(
        command.starts_with("-")
            ? fmt::format("write --ranks after the command: lynceus train --ranks {} ...", *ranks)
            : fmt::format("--ranks: {} runs on one rank; expected one of {}",
                          command.empty() ? "no command" : command,
                          fmt::join(kCommandsOnRanks, ", ")));
  if (parallel::is_launched(parallel::process_environment()))
    throw UsageError(
        "--ranks {}: this process is already a rank of mpirun or srun: leave one of the two out",
        *ranks);
  // argv[0] may be found through PATH only.
  std::error_code unknown;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", unknown);
  parallel::LaunchRequest request;
  request.ranks = *ranks;
  request.program = {unknown ? program : path.string()};
  request.program.insert(request.program.end(), arguments.begin(), arguments.end());
  request.stops_on_request = command == "train";
  const int threads = std::max(1, cores_of_this_rank() / *ranks);
  setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), /*overwrite=*/0);
  return parallel::run_ranks(request);
}

}  // namespace

std::optional<int> launch_ranks(int argc, char** argv) try {
  return launch(argv[0], Arguments(argv + 1, argv + argc));
} catch (const Error& error) {
  fmt::print(stderr, "lynceus: {}\n", error.what());
  return static_cast<int>(error.code());
}

}  // namespace lynceus::cli
