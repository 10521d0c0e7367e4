// The pages that --help and --print-config print.
#pragma once

#include "core/config/config.h"
#include "parallel/communicator.h"

namespace lynceus::cli {

/// Prints on rank 0, if the command line asks for one: the text `help` with the list of options, or
/// every value with its origin. Returns whether it asked.
bool print_page(const CommandLine& line, const char* help, const ConfigReader& reader,
                const parallel::Communicator& world);

}  // namespace lynceus::cli
