#include "core/resource.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/text/spelling.h"

namespace lynceus {

namespace fs = std::filesystem;

namespace {

/// The folders named configs, those that are preferred first.
std::vector<fs::path> config_folders() {
  std::error_code ignored;
  const fs::path binary = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  std::vector<fs::path> folders;
  for (const fs::path& base : {fs::path("."), binary / "../..", binary / "../share/lynceus"})
    folders.push_back((base / "configs").lexically_normal());
  return folders;
}

constexpr const char* kSuffix = ".ini";
constexpr const char* kPrompts = "prompts";  // templates, which are not configs

/// The folders of configs in one of config_folders(), in alphabetical order.
std::vector<fs::path> kinds_in(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> kinds;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.is_directory(ignored) && entry.path().filename() != kPrompts)
      kinds.push_back(entry.path());
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

/// The files with this suffix in a folder of the configs, without it.
std::vector<std::string> names_in(const std::string& folder, const std::string& suffix) {
  std::error_code ignored;
  std::vector<std::string> names;
  for (const fs::path& configs : config_folders())
    for (const auto& entry : fs::directory_iterator(configs / folder, ignored))
      if (entry.path().extension() == suffix) names.push_back(entry.path().stem().string());
  return names;
}

}  // namespace

fs::path find_resource(const std::string& key, const std::string& folder, const std::string& name,
                       const std::string& suffix) {
  std::error_code ignored;
  std::vector<fs::path> candidates = {name};
  for (const fs::path& configs : config_folders())
    for (const std::string& file : {name, name + suffix})
      candidates.push_back((configs / folder / file).lexically_normal());
  for (const fs::path& candidate : candidates)
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  std::string looked;
  for (const fs::path& candidate : candidates)
    looked += (looked.empty() ? "" : ", ") + candidate.string();
  const std::string near = nearest_name(name, names_in(folder, suffix));
  throw UsageError("{}: no file '{}'{}; looked for {}", key, name,
                   near.empty() ? "" : fmt::format(", did you mean {}?", near), looked);
}

fs::path find_config(const std::string& name) {
  std::error_code ignored;
  if (fs::exists(name, ignored) && !fs::is_directory(name, ignored)) return name;
  for (const fs::path& configs : config_folders()) {
    std::vector<fs::path> places = kinds_in(configs);
    places.insert(places.begin(), configs);
    for (const fs::path& place : places)
      for (const std::string& file : {name, name + kSuffix})
        if (fs::is_regular_file(place / file, ignored)) return place / file;
  }
  return name;
}

std::vector<std::string> shipped_configs(const std::string& kind) {
  std::error_code ignored;
  for (const fs::path& configs : config_folders()) {
    std::vector<std::string> names;
    for (const fs::path& place : kinds_in(configs))
      for (const auto& entry : fs::directory_iterator(place, ignored))
        if (entry.path().extension() == kSuffix && (kind.empty() || place.filename() == kind))
          names.push_back((place.filename() / entry.path().stem()).string());
    std::sort(names.begin(), names.end());
    if (!names.empty()) return names;
  }
  return {};
}

}  // namespace lynceus
