// Files that come with the program: prompt templates, configs. Found by name in the source tree,
// the build tree and an installed tree.
#pragma once

#include <filesystem>
#include <string>

namespace lynceus {

/// `name` if it is a file; else configs/FOLDER/NAME[SUFFIX] below the working directory, the source
/// tree that the binary was built in, or share/lynceus next to an installed bin/. UsageError naming
/// `key` and the places searched.
std::filesystem::path find_resource(const std::string& key, const std::string& folder,
                                    const std::string& name, const std::string& suffix);

}  // namespace lynceus
