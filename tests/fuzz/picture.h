// An image for rows that need one.
#pragma once

#include <string_view>

namespace lynceus::fuzz {

// One grey pixel.
constexpr std::string_view kPicture(
    "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\b\0\0\0\0:~"
    "\x9bU\0\0\0\nIDATx\x9c\x63h\0\0\0\x82\0"
    "\x81w\xcdr\xb6\0\0\0\0IEND\xae\x42\x60\x82",
    67);

}  // namespace lynceus::fuzz
