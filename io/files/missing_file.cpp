#include "io/files/missing_file.h"

#include <fmt/format.h>

#include <system_error>

namespace lynceus::io {

namespace fs = std::filesystem;

std::string missing_text(const fs::path& path) {
  fs::path last = path;
  std::string text = "no such file";
  constexpr int kMostLinks = 40;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code is_no_link;
    const fs::path target = fs::read_symlink(last, is_no_link);
    if (is_no_link) break;
    last = target.is_absolute() ? target : last.parent_path() / target;
    text = fmt::format("a link to '{}', which does not exist", last.lexically_normal().string());
  }
  return text;
}

}  // namespace lynceus::io
