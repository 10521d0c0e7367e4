// A line of a config file: comments, and values in quotes. A value that begins or ends with a
// space, or has a line break, `#`, or `;` after a space, stands in double quotes, in which \n, \r,
// \" and
// \\ are escapes. Around any other value quotes are part of it, as they have always been.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lynceus {

/// `text` without spaces at its ends.
std::string trimmed(std::string_view text);

struct ConfigLine {
  std::string text;                   ///< without comment and spaces at the ends
  std::optional<std::string> quoted;  ///< the value, if it is in quotes that are not part of it
};

ConfigLine parse_config_line(const std::string& raw);

/// The text that parse_config_line() reads back as `value`.
std::string value_in_file(const std::string& value);

}  // namespace lynceus
