// TIFF with libtiff: the first page.
#pragma once

#include <string>
#include <string_view>

#include "io/media/image.h"

namespace lynceus::io::internal {

/// Like decode_image() and check_image_header(), for this format only.
Image decode_tiff(std::string_view encoded, const std::string& name, const DecodeLimits& limits);
void check_tiff_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits);

}  // namespace lynceus::io::internal
