#include "io/files/file_pattern.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "core/error.h"
#include "core/home.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSpecial = "*?[]{}\\";

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Length of the longest folder at the beginning that exists.
size_t literal_length(const std::string& pattern) {
  size_t slash = pattern.rfind('/');
  while (slash != std::string::npos && slash > 0 && !exists(pattern.substr(0, slash)))
    slash = pattern.rfind('/', slash - 1);
  return slash == std::string::npos ? 0 : slash;
}

thread_local std::string unread;  // of the call of glob in progress: the folder and the reason

/// For glob: ends it at a folder that cannot be read. A link to nothing is no folder.
int stop_at_unread(const char* folder, int reason) {
  if (reason == ENOENT || reason == ELOOP) return 0;
  unread = fmt::format("{}: {}", folder, std::generic_category().message(reason));
  return 1;
}

}  // namespace

std::vector<std::string> files_matching(const std::string& pattern) {
  const std::string path = expand_home(pattern);
  if (exists(path)) return {path};
  const size_t literal = literal_length(path);
  const std::string wanted = as_pattern(path.substr(0, literal)) + path.substr(literal);
  glob_t matches{};
  unread.clear();
  const int result = ::glob(wanted.c_str(), GLOB_NOSORT | GLOB_BRACE, stop_at_unread, &matches);
  std::vector<std::string> files(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  ::globfree(&matches);
  if (!unread.empty())
    throw IoError("{}: cannot list the files of this pattern: {}", pattern, unread);
  if (result != 0 && result != GLOB_NOMATCH)
    throw IoError("{}: cannot list the files of this pattern", pattern);
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> expand_patterns(const std::string& option,
                                         const std::vector<std::string>& patterns) {
  std::vector<std::string> files;
  for (const std::string& pattern : patterns) {
    const std::vector<std::string> found = files_matching(pattern);
    const std::string hint = pattern_hint(pattern);
    if (found.empty() && !hint.empty())
      throw InputError("{} {}: expected files that match this pattern, found none{}", option,
                       pattern, hint);
    if (found.empty())
      files.push_back(pattern);
    else
      files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::string as_pattern(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    if (c == ',' || kSpecial.find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

std::string pattern_hint(const std::string& pattern) {
  if (pattern.find_first_of(kSpecial, literal_length(pattern)) == std::string::npos) return "";
  return "; * ? [ ] { } are special in a pattern, unless a backslash is before them";
}

}  // namespace lynceus::io
