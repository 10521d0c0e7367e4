// libjpeg reports errors by calling a function that must not return. An exception must not unwind
// its C code, so that function calls longjmp. Therefore every function that calls setjmp has only
// trivial locals.
#include "io/media/jpeg.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <vector>

// After <cstdio>, which they need but do not include.
#include <jpeglib.h>

#include <jerror.h>

#include "core/check.h"
#include "core/error.h"

namespace lynceus::io {
namespace {

/// For libjpeg's buffers; a progressive image needs all its coefficients at once.
constexpr long kMaxWorkBytes = 256l << 20;
/// A few kilobytes can contain thousands of progressive scans, each over all pixels.
constexpr int kMaxScans = 200;

struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg passes its address
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool in_scan;        // the header is read
  size_t extra_bytes;  // between the last scan and the end marker
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  manager->base.format_message(info, manager->message);
  std::longjmp(manager->jump, 1);
}

/// Whether every pixel is what it would be without the fault that this warning reports.
bool is_harmless(ErrorManager& manager) {
  switch (manager.base.msg_code) {
    case JWRN_ADOBE_XFORM:     // an unknown colour transform, read as YCbCr or YCCK
    case JWRN_BOGUS_ICC:       // the profile is not used
    case JWRN_JFIF_MAJOR:      // a later revision of the header
    case JWRN_NOT_SEQUENTIAL:  // fields that a sequential scan does not use
      return true;
    case JWRN_EXTRANEOUS_DATA:  // bytes before a marker
      if (manager.in_scan && manager.base.msg_parm.i[1] == JPEG_EOI) {
        manager.extra_bytes = static_cast<size_t>(manager.base.msg_parm.i[0]);
        return true;  // unless they belong to the scan: scan_is_complete()
      }
      return !manager.in_scan;
    default:
      return false;
  }
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  // libjpeg would replace the pixels that corrupt data leaves out.
  if (!is_harmless(*reinterpret_cast<ErrorManager*>(info->err))) on_error(info);
}

void on_progress(j_common_ptr info) {
  const auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number <= kMaxScans) return;
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(manager->message, sizeof(manager->message), "more than %d progressive scans",
                kMaxScans);
  std::longjmp(manager->jump, 1);
}

void set_up(ErrorManager& manager) {
  jpeg_std_error(&manager.base);
  manager.base.error_exit = on_error;
  manager.base.emit_message = on_message;
  manager.message[0] = '\0';
  manager.in_scan = false;
  manager.extra_bytes = 0;
}

struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_progress_mgr progress{};
  ErrorManager errors{};

  ~Decoder() { jpeg_destroy_decompress(&info); }
};

bool read_header(Decoder& decoder, std::string_view encoded) {
  if (setjmp(decoder.errors.jump) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.info.mem->max_memory_to_use = kMaxWorkBytes;
  decoder.progress.progress_monitor = on_progress;
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(encoded.data()),
               encoded.size());
  jpeg_read_header(&decoder.info, TRUE);
  decoder.info.out_color_space = decoder.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  decoder.info.dct_method = JDCT_ISLOW;
  decoder.errors.in_scan = true;
  return true;
}

/// The factor by which the inverse DCT may shrink the image: 1, 2, 4 or 8.
unsigned shrink_of(JDIMENSION width, JDIMENSION height, int kept_side) {
  if (kept_side <= 0) return 1;
  unsigned shrink = 8;
  while (shrink > 1 && std::min(width, height) / shrink < static_cast<JDIMENSION>(kept_side))
    shrink /= 2;
  return shrink;
}

/// Adobe writes CMYK inverted: stored values are 255 - ink. Rounds like PIL's cmyk2rgb.
void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x) {
    const int white = cmyk[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * x + c]) * white + 128;
      rgb[3 * x + c] = static_cast<uint8_t>(white - ((product + (product >> 8)) >> 8));
    }
  }
}

/// `cmyk_row` is a buffer for one row of four components, used only if the image has four.
bool read_pixels(Decoder& decoder, uint8_t* rgb, uint8_t* cmyk_row) {
  if (setjmp(decoder.errors.jump) != 0) return false;
  jpeg_start_decompress(&decoder.info);
  const size_t stride = static_cast<size_t>(decoder.info.output_width) * 3;
  const bool is_cmyk = decoder.info.output_components == 4;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    uint8_t* target = rgb + stride * decoder.info.output_scanline;
    JSAMPROW row = is_cmyk ? cmyk_row : target;
    jpeg_read_scanlines(&decoder.info, &row, 1);
    if (is_cmyk) cmyk_to_rgb(cmyk_row, target, static_cast<int>(decoder.info.output_width));
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

struct Encoder {
  jpeg_compress_struct info{};
  ErrorManager errors{};
  unsigned char* buffer = nullptr;  // allocated by libjpeg with malloc
  unsigned long size = 0;

  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
};

bool write_pixels(Encoder& encoder, const uint8_t* rgb, int width, int height, int quality) {
  if (setjmp(encoder.errors.jump) != 0) return false;
  jpeg_create_compress(&encoder.info);
  jpeg_mem_dest(&encoder.info, &encoder.buffer, &encoder.size);
  encoder.info.image_width = static_cast<JDIMENSION>(width);
  encoder.info.image_height = static_cast<JDIMENSION>(height);
  encoder.info.input_components = 3;
  encoder.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&encoder.info);
  jpeg_set_quality(&encoder.info, quality, TRUE);
  jpeg_start_compress(&encoder.info, TRUE);
  while (encoder.info.next_scanline < encoder.info.image_height) {
    auto* row =
        const_cast<uint8_t*>(rgb + static_cast<size_t>(width) * 3 * encoder.info.next_scanline);
    jpeg_write_scanlines(&encoder.info, &row, 1);
  }
  jpeg_finish_compress(&encoder.info);
  return true;
}

}  // namespace

namespace {

/// Bytes after the last scan of a decoded JPEG that belong to no marker: [begin, end) without the
/// up to 16 bytes that the decoder had already taken into its bit buffer.
struct ExtraBytes {
  size_t begin = 0;
  size_t end = 0;
  bool can_be_pixels = false;  ///< scan_is_complete() decides
};

/// libjpeg refuses sides of more than 65500 pixels, after it has read them.
[[noreturn]] void refuse_header(const Decoder& decoder, const std::string& name,
                                const DecodeLimits& limits) {
  if (decoder.errors.base.msg_code == JERR_IMAGE_TOO_BIG)
    internal::check_image_size(decoder.info.image_width, decoder.info.image_height, name, limits);
  throw InputError("{}: not a readable JPEG: {}", name, decoder.errors.message);
}

Image decode(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
             int kept_side, ExtraBytes* extra) {
  Decoder decoder;
  set_up(decoder.errors);
  decoder.info.err = &decoder.errors.base;
  if (!read_header(decoder, encoded)) refuse_header(decoder, name, limits);
  internal::check_image_size(decoder.info.image_width, decoder.info.image_height, name, limits);
  const unsigned shrink = shrink_of(decoder.info.image_width, decoder.info.image_height, kept_side);
  decoder.info.scale_denom = shrink;
  Image image =
      internal::allocate_image((decoder.info.image_width + shrink - 1) / shrink,
                               (decoder.info.image_height + shrink - 1) / shrink, name, limits);
  std::vector<uint8_t> cmyk_row(
      decoder.info.num_components == 4 ? static_cast<size_t>(image.width) * 4 : 0);
  if (!read_pixels(decoder, image.rgb.data(), cmyk_row.data())) {
    throw InputError("{}: damaged JPEG: {}", name, decoder.errors.message);
  }
  extra->end = encoded.size() - decoder.info.src->bytes_in_buffer - 2;  // the end marker
  extra->begin = extra->end - std::min(extra->end, decoder.errors.extra_bytes);
  extra->can_be_pixels = !decoder.info.progressive_mode && !decoder.info.arith_code;
  return image;
}

/// A damaged scan often ends too early for the decoder, so that its rest looks like extra bytes. A
/// complete scan is padded to a whole byte with ones (ITU T.81, F.1.2.3): the lowest zero bit of
/// its last byte is part of a code, so that the pixels change with it. (In progressive scans a code
/// may end with bits that change nothing.)
bool scan_is_complete(std::string_view encoded, const ExtraBytes& extra, const Image& image,
                      const DecodeLimits& limits, int kept_side) {
  constexpr size_t kBitBufferBytes = 16;  // of 8 bytes, each FF is stored as FF 00
  const auto gives_pixels = [&](std::string scan) {
    ExtraBytes ignored;
    try {
      return decode(scan + "\xFF\xD9", "", limits, kept_side, &ignored).rgb == image.rgb;
    } catch (const InputError&) {
      return false;
    }
  };
  size_t too_short = extra.begin - std::min(extra.begin, kBitBufferBytes);
  size_t enough = extra.begin;
  while (enough - too_short > 1) {
    const size_t middle = (too_short + enough) / 2;
    (gives_pixels(std::string(encoded.substr(0, middle))) ? enough : too_short) = middle;
  }
  std::string scan(encoded.substr(0, enough));
  if (scan.ends_with(std::string_view("\xFF\0", 2)) || scan.ends_with('\xFF')) return true;
  const auto last = static_cast<unsigned char>(scan.back());
  scan.back() = static_cast<char>(last | (last + 1));  // the lowest zero bit set
  if (scan.back() == '\xFF') scan += '\0';
  return !gives_pixels(scan);
}

}  // namespace

namespace internal {

Image decode_jpeg(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                  int kept_side) {
  ExtraBytes extra;
  Image image = decode(encoded, name, limits, kept_side, &extra);
  if (extra.end > extra.begin && extra.can_be_pixels &&
      !scan_is_complete(encoded, extra, image, limits, kept_side)) {
    throw InputError("{}: damaged JPEG: {} bytes are left over after the last pixel", name,
                     extra.end - extra.begin);
  }
  return image;
}

void check_jpeg_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits) {
  Decoder decoder;
  set_up(decoder.errors);
  decoder.info.err = &decoder.errors.base;
  if (!read_header(decoder, encoded)) refuse_header(decoder, name, limits);
  check_image_size(decoder.info.image_width, decoder.info.image_height, name, limits);
}

}  // namespace internal

std::string encode_jpeg(const Image& image, int quality) {
  LYNCEUS_CHECK(
      image.rgb.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3,
      "{} bytes for an image of {} x {}", image.rgb.size(), image.width, image.height);
  Encoder encoder;
  set_up(encoder.errors);
  encoder.info.err = &encoder.errors.base;
  if (!write_pixels(encoder, image.rgb.data(), image.width, image.height, quality)) {
    throw InputError("cannot encode an image of {} x {} as JPEG: {}", image.width, image.height,
                     encoder.errors.message);
  }
  return {reinterpret_cast<const char*>(encoder.buffer), encoder.size};
}

}  // namespace lynceus::io
