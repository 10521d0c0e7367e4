// The option --fault of the commands that tests and users let fail on purpose (core/fault.h). It is
// no config key: neither config.ini nor a manifest has it.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "core/fault.h"

namespace lynceus::cli {

/// Takes `--fault PLANS` out of the arguments and arms these points. -> whether one of them is
/// `help`: the caller prints fault::fault_help() and ends. UsageError for an unknown point or
/// action, and for another command than train and prepare.
bool take_faults(const std::string& command, Arguments* arguments);

/// The same without arming them: adds them to `plans`.
bool take_fault_plans(const std::string& command, Arguments* arguments,
                      std::vector<fault::Plan>* plans);

}  // namespace lynceus::cli
