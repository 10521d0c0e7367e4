// Base64 (RFC 4648, section 4), with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lynceus {

std::string to_base64(std::string_view bytes);
/// Nothing for a text with other characters, spaces included, or of another length.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace lynceus
