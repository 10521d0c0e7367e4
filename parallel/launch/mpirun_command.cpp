#include "parallel/launch/mpirun_command.h"

namespace lynceus::parallel {

std::vector<std::string> mpirun_command(const LocalLaunch& launch,
                                        const std::vector<std::string>& program) {
  std::vector<std::string> command = {
      "mpirun", "--quiet", "-n", std::to_string(launch.ranks),
      // The threads of a rank use its share of the cores; by default each rank would have one core.
      "--bind-to", "none",
      // Only this machine, also inside a job that has several.
      "--mca", "plm", "isolated", "--mca", "ras", "^slurm,gridengine,tm,lsf",
      // How long mpirun waits after INT or TERM before it kills the ranks, seconds. The launcher
      // ends mpirun when no rank is left.
      "--mca", "odls_base_sigkill_timeout", "3600", "--mca", "orte_tmpdir_base",
      launch.session.string()};
  if (launch.ranks > launch.cores) command.push_back("--oversubscribe");
  if (launch.is_root) command.push_back("--allow-run-as-root");
  command.insert(command.end(), program.begin(), program.end());
  return command;
}

}  // namespace lynceus::parallel
