// BMP (Windows bitmaps of 40 to 124 bytes of header, OS/2 bitmaps), by our own code: no library in
// Debian decodes only BMP. Format: Microsoft's BITMAPFILEHEADER and BITMAPV5HEADER.
#pragma once

#include <string>
#include <string_view>

#include "io/media/image.h"

namespace lynceus::io::internal {

/// Like decode_image() and check_image_header(), for this format only.
Image decode_bmp(std::string_view encoded, const std::string& name, const DecodeLimits& limits);
void check_bmp_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits);

}  // namespace lynceus::io::internal
