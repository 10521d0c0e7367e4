// The beginning of the commands that run on one rank and print their result: options, pages, log.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "core/config/config.h"

namespace lynceus::cli {

/// Reads the arguments of `command` into the configs that `reader` knows, and lets the log have
/// warnings and errors only. nullopt: they asked for a page, whose text begins with `help`, and it
/// was printed. `check` throws UsageError for what is not allowed. AgreedError (kUsage) for that,
/// and if there is more than one rank.
std::optional<CommandLine> begin_on_one_rank(const std::string& command, const char* help,
                                             const Arguments& arguments, ConfigReader* reader,
                                             const std::function<void(const CommandLine&)>& check);

}  // namespace lynceus::cli
