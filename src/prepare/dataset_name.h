// Names of datasets, which become file names.
#pragma once

#include <string>

namespace lynceus::prepare {

/// The input's file name without directory and extension; "a" for a.tar.gz.
std::string dataset_name(const std::string& input);
/// With a class of questions appended, of which letters and digits are kept: "q-Action_Y_N" for
/// "q.jsonl" and "Action(Y/N)".
std::string dataset_name(const std::string& input, const std::string& question_class);

}  // namespace lynceus::prepare
