// Chooses the decoder by the first bytes.
#include "io/media/image.h"

#include "core/error.h"
#include "io/media/jpeg.h"
#include "io/media/png.h"
#include "io/media/webp.h"

namespace lynceus::io {
namespace internal {

void check_image_size(int64_t width, int64_t height, const std::string& name,
                      const DecodeLimits& limits) {
  if (width <= 0 || height <= 0 || height > limits.max_pixels / width) {
    throw InputError("{}: expected an image of 1 to {} pixels, found {} x {}", name,
                     limits.max_pixels, width, height);
  }
}

Image allocate_image(int64_t width, int64_t height, const std::string& name,
                     const DecodeLimits& limits) {
  check_image_size(width, height, name, limits);
  Image image{static_cast<int>(width), static_cast<int>(height), {}};
  image.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  return image;
}

}  // namespace internal

namespace {

bool is_jpeg(std::string_view encoded) { return encoded.starts_with("\xFF\xD8\xFF"); }
bool is_png(std::string_view encoded) { return encoded.starts_with("\x89PNG\r\n\x1A\n"); }
bool is_webp(std::string_view encoded) {
  return encoded.starts_with("RIFF") && encoded.size() >= 12 && encoded.substr(8, 4) == "WEBP";
}

[[noreturn]] void refuse(std::string_view encoded, const std::string& name) {
  std::string begin;
  for (const char c : encoded.substr(0, 8)) {
    begin += fmt::format("{:02x} ", static_cast<unsigned char>(c));
  }
  throw InputError("{}: expected a JPEG, PNG or WebP image, found {} bytes, first bytes: {}", name,
                   encoded.size(), begin.empty() ? "none" : begin);
}

}  // namespace

Image decode_image(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                   int kept_side) {
  if (is_jpeg(encoded)) return internal::decode_jpeg(encoded, name, limits, kept_side);
  if (is_png(encoded)) return internal::decode_png(encoded, name, limits);
  if (is_webp(encoded)) return internal::decode_webp(encoded, name, limits);
  refuse(encoded, name);
}

void check_image_header(std::string_view encoded, const std::string& name,
                        const DecodeLimits& limits) {
  if (is_jpeg(encoded)) return internal::check_jpeg_header(encoded, name, limits);
  if (is_png(encoded)) return internal::check_png_header(encoded, name, limits);
  if (is_webp(encoded)) return internal::check_webp_header(encoded, name, limits);
  refuse(encoded, name);
}

}  // namespace lynceus::io
