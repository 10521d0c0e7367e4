#include "evaluate/picture.h"

#include <fmt/format.h>

#include <string_view>

#include "core/text/base64.h"
#include "io/media/image.h"
#include "io/media/jpeg.h"

namespace lynceus::evaluate {
namespace {

/// The type of an image that browsers show; empty: they do not show it.
std::string_view media_type(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xD8")) return "image/jpeg";
  if (bytes.starts_with("\x89PNG")) return "image/png";
  if (bytes.starts_with("GIF8")) return "image/gif";
  if (bytes.starts_with("RIFF")) return "image/webp";
  return bytes.starts_with("BM") ? "image/bmp" : "";
}

}  // namespace

EmbeddedPicture embedded_picture(std::string bytes, const std::string& name) {
  const io::Image image = io::decode_image(bytes, name);
  std::string type(media_type(bytes));
  if (type.empty()) {
    constexpr int kQuality = 95;
    bytes = io::encode_jpeg(image, kQuality);
    type = "image/jpeg";
  }
  return {image.width, image.height, fmt::format("data:{};base64,{}", type, to_base64(bytes))};
}

}  // namespace lynceus::evaluate
