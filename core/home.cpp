#include "core/home.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace lynceus {

std::string expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  std::error_code ignored;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0' || std::filesystem::exists(path, ignored)) return path;
  return home + path.substr(1);
}

}  // namespace lynceus
