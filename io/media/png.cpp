// libpng reports errors by longjmp, so functions that call setjmp have only trivial locals.
#include "io/media/png.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/error.h"

namespace lynceus::io {
namespace {

/// Limits for ancillary chunks (text, profile): decompressed size of each, and their number.
constexpr png_alloc_size_t kMaxChunkBytes = 8 << 20;
constexpr png_uint_32 kMaxChunks = 1000;

struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::string_view encoded;
  size_t position = 0;
  char message[256] = "";

  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* decoder = static_cast<Decoder*>(png_get_error_ptr(png));
  std::snprintf(decoder->message, sizeof(decoder->message), "%s", text);
  png_longjmp(png, 1);
}

// Warnings concern profiles and text, not pixels; damaged pixels are errors.
void on_warning(png_structp /*png*/, png_const_charp /*text*/) {}

void read_bytes(png_structp png, png_bytep target, size_t size) {
  auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
  if (size > decoder->encoded.size() - decoder->position) png_error(png, "the file ends too early");
  std::memcpy(target, decoder->encoded.data() + decoder->position, size);
  decoder->position += size;
}

bool read_header(Decoder& decoder) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_read_fn(decoder.png, &decoder, read_bytes);
  png_set_chunk_malloc_max(decoder.png, kMaxChunkBytes);
  png_set_chunk_cache_max(decoder.png, kMaxChunks);
  png_read_info(decoder.png, decoder.info);
  return true;
}

bool read_pixels(Decoder& decoder, png_bytepp rows, size_t stride) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_set_expand(decoder.png);  // palette to RGB, grey below 8 bits to 8, transparency to alpha
  png_set_strip_16(decoder.png);
  png_set_strip_alpha(decoder.png);
  png_set_gray_to_rgb(decoder.png);
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  if (png_get_rowbytes(decoder.png, decoder.info) != stride) {
    png_error(decoder.png, "its rows cannot be converted to RGB");
  }
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, nullptr);
  return true;
}

void open(Decoder& decoder, std::string_view encoded, const std::string& name) {
  decoder.encoded = encoded;
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  if (decoder.png != nullptr) decoder.info = png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) throw InputError("{}: libpng cannot start", name);
  if (!read_header(decoder)) {
    throw InputError("{}: not a readable PNG: {}", name, decoder.message);
  }
}

}  // namespace

namespace internal {

Image decode_png(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  Decoder decoder;
  open(decoder, encoded, name);
  Image image = allocate_image(png_get_image_width(decoder.png, decoder.info),
                               png_get_image_height(decoder.png, decoder.info), name, limits);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  std::vector<png_bytep> rows(static_cast<size_t>(image.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = image.rgb.data() + y * stride;
  if (!read_pixels(decoder, rows.data(), stride)) {
    throw InputError("{}: damaged PNG: {}", name, decoder.message);
  }
  return image;
}

void check_png_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits) {
  Decoder decoder;
  open(decoder, encoded, name);
  check_image_size(png_get_image_width(decoder.png, decoder.info),
                   png_get_image_height(decoder.png, decoder.info), name, limits);
}

}  // namespace internal
}  // namespace lynceus::io
