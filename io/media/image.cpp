// Chooses the decoder by the first bytes.
#include "io/media/image.h"

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/media/bmp.h"
#include "io/media/gif.h"
#include "io/media/jpeg.h"
#include "io/media/png.h"
#include "io/media/tiff.h"
#include "io/media/webp.h"

namespace lynceus::io {
namespace internal {

void check_image_size(int64_t width, int64_t height, const std::string& name,
                      const DecodeLimits& limits) {
  if (width <= 0 || height <= 0)
    throw InputError("{}: expected an image of at least one pixel, found {} x {}", name, width,
                     height);
  if (height > limits.max_pixels / width) throw ImageTooLarge(name, width, height, limits);
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

struct UnreadFormat {
  size_t at;  // of the bytes, in the file
  std::string_view bytes;
  const char* kind;
};

using std::string_view_literals::operator""sv;

constexpr UnreadFormat kUnreadFormats[] = {
    {4, "ftypavi"sv, "picture format that is not read: AVIF"},
    {4, "ftyphei"sv, "picture format that is not read: HEIC"},
    {4, "ftyphev"sv, "picture format that is not read: HEIC"},
    {4, "ftypmif1"sv, "picture format that is not read: HEIF"},
    {4, "ftypmsf1"sv, "picture format that is not read: HEIF"},
    {0, "\xFF\x0A"sv, "picture format that is not read: JPEG XL"},
    {4, "JXL \r\n\x87\n"sv, "picture format that is not read: JPEG XL"},
    {0, "\xFF\x4F\xFF\x51"sv, "picture format that is not read: JPEG 2000"},
    {4, "jP  \r\n\x87\n"sv, "picture format that is not read: JPEG 2000"},
    {0, "8BPS"sv, "picture format that is not read: PSD"},
    {0, "DDS "sv, "picture format that is not read: DDS"},
    {0, "qoif"sv, "picture format that is not read: QOI"},
    {0, "\x76\x2F\x31\x01"sv, "picture format that is not read: OpenEXR"},
    {0, "#?RADIANCE"sv, "picture format that is not read: Radiance HDR"},
};

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// The number at `at`, in the byte order of x86.
uint32_t number_at(std::string_view encoded, size_t at, size_t bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < bytes; ++i)
    number |= static_cast<uint32_t>(static_cast<unsigned char>(encoded[at + i])) << (8 * i);
  return number;
}

/// P1 to P7, then a number or a comment; of P7, a line end.
bool is_pnm(std::string_view encoded) {
  if (encoded.size() < 4 || encoded[0] != 'P' || encoded[1] < '1' || encoded[1] > '7') return false;
  if (encoded[1] == '7') return encoded[2] == '\n';
  size_t at = 2;
  while (at < encoded.size() && is_space(encoded[at])) ++at;
  return at > 2 && at < encoded.size() &&
         (encoded[at] == '#' || (encoded[at] >= '0' && encoded[at] <= '9'));
}

/// ICO (type 1) and CUR (type 2) have no signature: a zero, the type and the number of pictures,
/// then of each picture a zero, its size and its place. A TGA may begin like the first three.
const char* icon_kind(std::string_view encoded) {
  constexpr size_t kHeadBytes = 6;
  constexpr size_t kEntryBytes = 16;
  if (encoded.size() < kHeadBytes + kEntryBytes || number_at(encoded, 0, 2) != 0) return nullptr;
  const uint32_t type = number_at(encoded, 2, 2);
  const size_t entries_end = kHeadBytes + kEntryBytes * number_at(encoded, 4, 2);
  const uint64_t bytes = number_at(encoded, kHeadBytes + 8, 4);
  const uint64_t begin = number_at(encoded, kHeadBytes + 12, 4);
  const bool is_icon = entries_end > kHeadBytes && encoded[kHeadBytes + 3] == 0 && bytes > 0 &&
                       begin >= entries_end && begin + bytes <= encoded.size();
  if (!is_icon || type < 1 || type > 2) return nullptr;
  return type == 1 ? "picture format that is not read: ICO"
                   : "picture format that is not read: CUR";
}

const char* unread_kind(std::string_view encoded) {
  if (is_pnm(encoded)) return "picture format that is not read: PNM";
  for (const UnreadFormat& format : kUnreadFormats) {
    if (encoded.size() > format.at && encoded.substr(format.at).starts_with(format.bytes))
      return format.kind;
  }
  // Of TGA 2.0, at its end. Earlier ones cannot be recognised.
  if (encoded.ends_with("TRUEVISION-XFILE.\0"sv)) return "picture format that is not read: TGA";
  return icon_kind(encoded);
}

/// "BM" alone may begin a text. The size of the header that follows is below 2^16.
bool is_bmp(std::string_view encoded) {
  constexpr size_t kHeaderSize = 14;
  return encoded.starts_with("BM") &&
         (encoded.size() < kHeaderSize + 4 || number_at(encoded, kHeaderSize, 4) < 1 << 16);
}

enum class Format { kJpeg, kPng, kWebp, kGif, kBmp, kTiff };

/// ForeignFile for bytes of another format.
Format format_of(std::string_view encoded, const std::string& name) {
  if (encoded.starts_with("\xFF\xD8\xFF")) return Format::kJpeg;
  if (encoded.starts_with("\x89PNG\r\n\x1A\n")) return Format::kPng;
  if (encoded.starts_with("RIFF") && encoded.size() >= 12 && encoded.substr(8, 4) == "WEBP")
    return Format::kWebp;
  if (encoded.starts_with("GIF87a") || encoded.starts_with("GIF89a")) return Format::kGif;
  if (is_bmp(encoded)) return Format::kBmp;
  for (const auto begin : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (encoded.starts_with(begin)) return Format::kTiff;
  }
  constexpr std::string_view kExpected = "a JPEG, PNG, WebP, GIF, BMP or TIFF image";
  if (const char* kind = unread_kind(encoded); kind != nullptr)
    throw ForeignFile(kind, fmt::format("{}: {}; expected {}", name, kind, kExpected));
  refuse_foreign(encoded, name, kExpected);
  std::string begin;
  for (const char c : encoded.substr(0, 8)) {
    begin += fmt::format("{:02x} ", static_cast<unsigned char>(c));
  }
  throw ForeignFile("unknown picture format",
                    fmt::format("{}: expected {}, found {} bytes, first bytes: {}", name, kExpected,
                                encoded.size(), begin));
}

}  // namespace

Image decode_image(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                   int kept_side) {
  switch (format_of(encoded, name)) {
    case Format::kJpeg:
      return internal::decode_jpeg(encoded, name, limits, kept_side);
    case Format::kPng:
      return internal::decode_png(encoded, name, limits);
    case Format::kWebp:
      return internal::decode_webp(encoded, name, limits);
    case Format::kGif:
      return internal::decode_gif(encoded, name, limits);
    case Format::kBmp:
      return internal::decode_bmp(encoded, name, limits);
    case Format::kTiff:
      return internal::decode_tiff(encoded, name, limits);
  }
  throw InternalError("a picture format without a decoder");
}

void check_image_header(std::string_view encoded, const std::string& name,
                        const DecodeLimits& limits) {
  switch (format_of(encoded, name)) {
    case Format::kJpeg:
      return internal::check_jpeg_header(encoded, name, limits);
    case Format::kPng:
      return internal::check_png_header(encoded, name, limits);
    case Format::kWebp:
      return internal::check_webp_header(encoded, name, limits);
    case Format::kGif:
      return internal::check_gif_header(encoded, name, limits);
    case Format::kBmp:
      return internal::check_bmp_header(encoded, name, limits);
    case Format::kTiff:
      return internal::check_tiff_header(encoded, name, limits);
  }
}

}  // namespace lynceus::io
