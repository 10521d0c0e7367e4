// The option --ranks N, which precedes all others: the command then runs on N ranks of this
// machine.
#pragma once

#include <optional>

namespace lynceus::cli {

/// Starts the ranks if the command line has --ranks; then the exit code of all of it. nullopt: this
/// process is to run the command itself.
std::optional<int> launch_ranks(int argc, char** argv);

}  // namespace lynceus::cli
