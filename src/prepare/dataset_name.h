// Names of datasets, which become file names.
#pragma once

#include <string>

namespace lynceus::prepare {

/// The input's file name without directory and extension; "a" for a.tar.gz and a.tar.zst.
std::string dataset_name(const std::string& input);
/// The name of a folder: "b.c" for "a/b.c/", "a" for "." in a.
std::string dataset_name_of_folder(const std::string& folder);
/// With a class of questions appended, of which letters and digits are kept: "q-Action_Y_N" for
/// "q.jsonl" and "Action(Y/N)".
std::string dataset_name(const std::string& input, const std::string& question_class);

}  // namespace lynceus::prepare
