#include "io/media/webp.h"

#include <webp/decode.h>

#include "core/error.h"

namespace lynceus::io::internal {
namespace {

const uint8_t* bytes_of(std::string_view encoded) {
  return reinterpret_cast<const uint8_t*>(encoded.data());
}

WebPBitstreamFeatures read_header(std::string_view encoded, const std::string& name,
                                  const DecodeLimits& limits) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(bytes_of(encoded), encoded.size(), &features);
  if (status != VP8_STATUS_OK) {
    throw InputError("{}: not a readable WebP: libwebp status {}", name, static_cast<int>(status));
  }
  if (features.has_animation != 0) {
    throw InputError("{}: expected a still image, found an animated WebP", name);
  }
  check_image_size(features.width, features.height, name, limits);
  return features;
}

}  // namespace

Image decode_webp(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  const WebPBitstreamFeatures features = read_header(encoded, name, limits);
  Image image = allocate_image(features.width, features.height, name, limits);
  if (WebPDecodeRGBInto(bytes_of(encoded), encoded.size(), image.rgb.data(), image.rgb.size(),
                        image.width * 3) == nullptr) {
    throw InputError("{}: damaged WebP", name);
  }
  return image;
}

void check_webp_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits) {
  read_header(encoded, name, limits);
}

}  // namespace lynceus::io::internal
