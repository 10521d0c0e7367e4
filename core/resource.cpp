#include "core/resource.h"

#include <vector>

#include "core/error.h"

namespace lynceus {

namespace fs = std::filesystem;

fs::path find_resource(const std::string& key, const std::string& folder, const std::string& name,
                       const std::string& suffix) {
  std::error_code ignored;
  std::vector<fs::path> candidates = {name};
  const fs::path binary = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& base : {fs::path("."), binary / "../..", binary / "../share/lynceus"})
    for (const std::string& file : {name, name + suffix})
      candidates.push_back((base / "configs" / folder / file).lexically_normal());
  for (const fs::path& candidate : candidates)
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  std::string looked;
  for (const fs::path& candidate : candidates)
    looked += (looked.empty() ? "" : ", ") + candidate.string();
  throw UsageError("{}: no file '{}'; looked for {}", key, name, looked);
}

}  // namespace lynceus
