// The subcommands of `lynceus`. Each has a source file of its name (train.cpp, prepare.cpp ...),
// which has no header of its own: this is the header of all of them.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace lynceus::cli {

/// The arguments after the subcommand.
using Arguments = std::vector<std::string>;

/// Each returns the exit code. Errors are thrown.
ExitCode run_doctor(const Arguments& arguments);
ExitCode run_compare(const Arguments& arguments);
ExitCode run_prepare(const Arguments& arguments);
ExitCode run_evaluate(const Arguments& arguments);
ExitCode run_export(const Arguments& arguments);
ExitCode run_generate(const Arguments& arguments);
ExitCode run_inspect(const Arguments& arguments);
ExitCode run_status(const Arguments& arguments);
ExitCode run_submit(const Arguments& arguments);
ExitCode run_train(const Arguments& arguments);
ExitCode run_verify(const Arguments& arguments);

}  // namespace lynceus::cli
