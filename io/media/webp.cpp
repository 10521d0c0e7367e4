#include "io/media/webp.h"

#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

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
  check_image_size(features.width, features.height, name, limits);
  return features;
}

struct Close {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

/// The first frame of an animation, on black where it does not cover the picture. It is not
/// blended: there is nothing below it.
void decode_first_frame(std::string_view encoded, const std::string& name, Image& image) {
  const WebPData data{bytes_of(encoded), encoded.size()};
  const std::unique_ptr<WebPDemuxer, Close> demuxer(WebPDemux(&data));
  WebPIterator frame;
  if (!demuxer || WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) {
    throw InputError("{}: damaged WebP: its first frame is incomplete", name);
  }
  const std::string_view bytes(reinterpret_cast<const char*>(frame.fragment.bytes),
                               frame.fragment.size);
  WebPBitstreamFeatures features;
  const bool fits =
      WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &features) == VP8_STATUS_OK &&
      features.width == frame.width && features.height == frame.height && frame.x_offset >= 0 &&
      frame.width <= image.width - frame.x_offset && frame.y_offset >= 0 &&
      frame.height <= image.height - frame.y_offset;
  const int stride = image.width * 3;
  const size_t first = static_cast<size_t>(frame.y_offset) * static_cast<size_t>(stride) +
                       static_cast<size_t>(frame.x_offset) * 3;
  WebPDemuxReleaseIterator(&frame);
  if (!fits || WebPDecodeRGBInto(bytes_of(bytes), bytes.size(), image.rgb.data() + first,
                                 image.rgb.size() - first, stride) == nullptr) {
    throw InputError("{}: damaged WebP", name);
  }
}

}  // namespace

Image decode_webp(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  const WebPBitstreamFeatures features = read_header(encoded, name, limits);
  Image image = allocate_image(features.width, features.height, name, limits);
  if (features.has_animation != 0) {
    decode_first_frame(encoded, name, image);
    return image;
  }
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
