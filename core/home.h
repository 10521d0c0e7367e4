// The folder of the user in paths. A shell replaces ~/ only at the beginning of a word, so not in
// config files, in --key=~/x, or in NAME:~/x.
#pragma once

#include <string>

namespace lynceus {

/// `path` with $HOME instead of the ~ in ~/x. Unchanged for any other path, for a path that exists
/// as it is, and without $HOME.
std::string expand_home(const std::string& path);

}  // namespace lynceus
