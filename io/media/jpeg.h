// JPEG by libjpeg-turbo, through its jpeglib interface.
#pragma once

#include <string>
#include <string_view>

#include "io/media/image.h"

namespace lynceus::io {

/// Baseline JPEG, 4:2:0, quality 1 to 100.
std::string encode_jpeg(const Image& image, int quality);

namespace internal {
/// As decode_image() and check_image_header().
Image decode_jpeg(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                  int kept_side);
void check_jpeg_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits);
}  // namespace internal

}  // namespace lynceus::io
