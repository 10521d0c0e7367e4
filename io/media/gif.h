// GIF with giflib: the first image.
#pragma once

#include <string>
#include <string_view>

#include "io/media/image.h"

namespace lynceus::io::internal {

/// Like decode_image() and check_image_header(), for this format only.
Image decode_gif(std::string_view encoded, const std::string& name, const DecodeLimits& limits);
void check_gif_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits);

}  // namespace lynceus::io::internal
