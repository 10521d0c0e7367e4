// `lynceus COMMAND --ranks N`: starts the ranks on this machine through mpirun and watches them.
//
// mpirun runs in a session of its own, so that a Ctrl-C of the terminal reaches this process only.
// A request to stop goes to the ranks through their sockets (launcher_link.h), never to mpirun.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lynceus::parallel {

/// The value of `--ranks N` (or --ranks=N), which is removed from `arguments`; nullopt: there is
/// none before a "--". UsageError if N is not a number of 1 to 4096.
std::optional<int> take_ranks(std::vector<std::string>* arguments);

struct LaunchRequest {
  int ranks = 1;
  std::vector<std::string> program;  ///< path and arguments
  /// INT, TERM, USR1 and HUP ask the ranks to save and to stop; else they end them at once.
  bool stops_on_request = false;
};

/// Runs the ranks; their exit code: that of the first which reported one other than 0. A rank that
/// ends without a report ends all; then 128 + the signal that ended it, or 1. After a signal to
/// this process that ended them, 128 + its number. UsageError if there is no mpirun, IoError if a
/// system call fails, such as for more ranks than files that may be open.
int run_ranks(const LaunchRequest& request);

}  // namespace lynceus::parallel
