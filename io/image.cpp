// Chooses the decoder of a picture by its first bytes. See image.h.
#include "io/image.h"

#include "core/error.h"

namespace lynceus::io {
namespace internal {

Image allocate_image(int64_t width, int64_t height, const std::string& name,
                     const DecodeLimits& limits) {
  if (width <= 0 || height <= 0 || height > limits.max_pixels / width) {
    throw InputError("{}: expected an image of 1 to {} pixels, found {} x {}", name,
                     limits.max_pixels, width, height);
  }
  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  image.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  return image;
}

}  // namespace internal

Image decode_image(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  if (encoded.starts_with("\xFF\xD8\xFF")) return internal::decode_jpeg(encoded, name, limits);
  if (encoded.starts_with("\x89PNG\r\n\x1A\n")) return internal::decode_png(encoded, name, limits);
  std::string begin;
  for (const char c : encoded.substr(0, 8)) {
    begin += fmt::format("{:02x} ", static_cast<unsigned char>(c));
  }
  throw InputError("{}: expected a JPEG or PNG image, found {} bytes beginning {}", name,
                   encoded.size(), begin.empty() ? "nowhere" : begin);
}

}  // namespace lynceus::io
