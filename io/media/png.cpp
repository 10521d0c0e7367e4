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

bool is_deep_grey(const Decoder& decoder) {
  return png_get_color_type(decoder.png, decoder.info) == PNG_COLOR_TYPE_GRAY &&
         png_get_bit_depth(decoder.png, decoder.info) == 16;
}

/// Grey values of 16 bits at the beginning of each row to RGB. Larger ones than 255 become 255.
void clip_deep_grey(const std::vector<png_bytep>& rows, int width) {
  for (png_bytep row : rows) {
    for (int x = width - 1; x >= 0; --x) {  // backwards: the target overlaps the source
      std::memset(row + 3 * x, row[2 * x] != 0 ? 255 : row[2 * x + 1], 3);
    }
  }
}

/// Rows of RGB; with `deep_grey`, of grey values of 16 bits.
bool read_pixels(Decoder& decoder, png_bytepp rows, size_t width, bool deep_grey) {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  if (!deep_grey) {
    png_set_expand(decoder.png);  // palette to RGB, grey below 8 bits to 8, transparency to alpha
    png_set_strip_16(decoder.png);
    png_set_strip_alpha(decoder.png);
    png_set_gray_to_rgb(decoder.png);
  }
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  if (png_get_rowbytes(decoder.png, decoder.info) != (deep_grey ? 2 : 3) * width) {
    png_error(decoder.png, "its rows cannot be converted to RGB");
  }
  png_read_image(decoder.png, rows);  // with the checksum of the last pixels; then it is enough
  return true;
}

void open(Decoder& decoder, std::string_view encoded, const std::string& name) {
  decoder.encoded = encoded;
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  if (decoder.png != nullptr) decoder.info = png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) throw InputError("{}: libpng cannot start", name);
  // DecodeLimits are checked after the header; libpng would call a large image invalid.
  png_set_user_limits(decoder.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
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
  const bool deep_grey = is_deep_grey(decoder);
  if (!read_pixels(decoder, rows.data(), static_cast<size_t>(image.width), deep_grey)) {
    throw InputError("{}: damaged PNG: {}", name, decoder.message);
  }
  if (deep_grey) clip_deep_grey(rows, image.width);
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
