// A command of `lynceus prepare` that is repeated: the same command has nothing to do, another one
// is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "prepare/output.h"

namespace lynceus::prepare {

struct PrepareJob;

/// A dataset that a command would write.
struct DatasetCommand {
  std::string name;
  std::string command;  ///< everything that determines the shards
};

/// Everything that determines the shards of a dataset, in UTF-8. The input counts by size and time,
/// not by content.
std::string command_of(const PrepareJob& job, const PrepareConfig& common);

/// `command` with what determines the tokenizer.
std::string complete_command(const std::string& command, const PrepareConfig& common);

/// Whether this command has already completed all datasets, with their texts and tokenizer; then
/// prints how much they are. UsageError naming the differences if another command, or this one with
/// another input, completed one of them, or if shards are missing or others; InputError if one is
/// damaged. Always false with --overwrite.
bool is_complete_already(const PrepareConfig& common, const std::vector<DatasetCommand>& datasets);

}  // namespace lynceus::prepare
