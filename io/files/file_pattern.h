// Patterns of file names as in a shell: * ? [...] {a,b}; a backslash makes the next character an
// ordinary one.
#pragma once

#include <string>
#include <vector>

namespace lynceus::io {

/// The files that `pattern` names, in byte order. A path that exists is that path, whatever
/// characters it has; so are the folders at the beginning of a pattern that exist as written. ~/ is
/// expanded. IoError if a folder cannot be read.
std::vector<std::string> files_matching(const std::string& pattern);

/// The files of all patterns, in order; a path without special characters as it is, whether or not
/// it exists. InputError that begins with `option` for a pattern that matches nothing.
std::vector<std::string> expand_patterns(const std::string& option,
                                         const std::vector<std::string>& patterns);

/// The pattern that matches only `path`.
std::string as_pattern(const std::string& path);

/// For messages about a pattern that matches nothing: how to write special characters, after "; ".
/// Empty if `pattern` has none.
std::string pattern_hint(const std::string& pattern);

}  // namespace lynceus::io
