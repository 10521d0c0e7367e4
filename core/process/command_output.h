// What another program prints, for short questions to the system: sinfo, squeue.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lynceus {

/// The standard output of `command`, found through PATH, without a shell. nullopt if it cannot be
/// started, fails, prints more than a MiB, or has not ended after `seconds`; it is then killed. Its
/// standard error is dropped.
std::optional<std::string> command_output(const std::vector<std::string>& command, double seconds);

}  // namespace lynceus
