// The option --fault of the commands that tests and users let fail on purpose (core/fault.h). It is
// no config key: neither config.ini nor a manifest has it.
#pragma once

#include <string>

#include "cli/command.h"

namespace lynceus::cli {

/// Takes `--fault PLANS` out of the arguments and arms these points. -> whether one of them is
/// `help`: the caller prints fault::fault_help() and ends. UsageError for an unknown point or
/// action, and for another command than train and prepare.
bool take_faults(const std::string& command, Arguments* arguments);

}  // namespace lynceus::cli
