// JPEG with libjpeg-turbo.
#pragma once

#include <string>
#include <string_view>

#include "io/media/image.h"

namespace lynceus::io {

/// Encodes as baseline JPEG, 4:2:0. `quality`: 1 to 100.
std::string encode_jpeg(const Image& image, int quality);

namespace internal {
/// Like decode_image() and check_image_header(), for this format only.
Image decode_jpeg(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                  int kept_side);
void check_jpeg_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits);
}  // namespace internal

}  // namespace lynceus::io
