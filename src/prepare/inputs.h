// The input files of a command: which of them are none, and which are read twice.
#pragma once

#include <string>
#include <vector>

namespace lynceus::prepare {

/// The inputs without lists of rejected rows (NAME-rejects.jsonl), which an earlier run wrote and a
/// pattern such as '*.jsonl' matches too. UsageError if nothing else is given. Warns of each, and
/// of inputs that are the same file or folder, or a folder within another: their rows are read
/// twice.
std::vector<std::string> checked_inputs(const std::vector<std::string>& inputs, bool warns);

}  // namespace lynceus::prepare
