// Files that come with the program: prompt templates, configs. Found by name in the source tree,
// the build tree and an installed tree.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lynceus {

/// `name` if it is a file; else configs/FOLDER/NAME[SUFFIX] below the working directory, the source
/// tree that the binary was built in, or share/lynceus next to an installed bin/. UsageError naming
/// `key` and the places searched.
std::filesystem::path find_resource(const std::string& key, const std::string& folder,
                                    const std::string& name, const std::string& suffix);

/// The file that --config means: `name` if it exists, else the config of that name among those that
/// come with the program, with or without its folder and its ending: tiny, model/tiny,
/// stage/pretrain-224.ini. `name` itself if there is none.
std::filesystem::path find_config(const std::string& name);
/// The configs that come with the program, "model/tiny", in alphabetical order; those of one folder
/// if `kind` names it.
std::vector<std::string> shipped_configs(const std::string& kind = "");

}  // namespace lynceus
