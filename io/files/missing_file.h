// What to say of a file that does not exist.
#pragma once

#include <filesystem>
#include <string>

namespace lynceus::io {

/// Of a path that does not exist: "no such file", or "a link to 'TARGET', which does not exist". Of
/// a chain of links the last target.
std::string missing_text(const std::filesystem::path& path);

}  // namespace lynceus::io
