// libtiff decodes strips and tiles to samples; the conversion of samples to RGB is that of Pillow's
// TiffImagePlugin. TIFFReadRGBAImage() is not used: it composites alpha and differs from Pillow.
#include "io/media/tiff.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/text/foreign_file.h"
#include "io/media/tiff_pixels.h"

namespace lynceus::io::internal {
namespace {

/// For one strip or tile, and for each of libtiff's own buffers.
constexpr tmsize_t kMaxBlockBytes = tmsize_t{512} << 20;
constexpr const char* kUnreadKind = "picture format that is not read: TIFF of this kind";

struct Source {
  std::string_view encoded;
  uint64_t position = 0;
  bool failed = false;
  char message[256] = "";
};

Source& source_of(void* handle) { return *static_cast<Source*>(handle); }

tmsize_t read_bytes(void* handle, void* target, tmsize_t size) {
  Source& source = source_of(handle);
  const uint64_t left =
      source.encoded.size() - std::min<uint64_t>(source.position, source.encoded.size());
  const auto count = static_cast<size_t>(std::min<uint64_t>(left, static_cast<uint64_t>(size)));
  std::memcpy(target, source.encoded.data() + source.encoded.size() - left, count);
  source.position += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_bytes(void* /*handle*/, void* /*bytes*/, tmsize_t /*size*/) { return 0; }

toff_t seek(void* handle, toff_t offset, int whence) {
  Source& source = source_of(handle);
  const uint64_t base = whence == SEEK_SET   ? 0
                        : whence == SEEK_CUR ? source.position
                                             : source.encoded.size();
  source.position = base + offset;
  return source.position;
}

int close_nothing(void* /*handle*/) { return 0; }

toff_t size_of(void* handle) { return source_of(handle).encoded.size(); }

int on_error(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format,
             va_list values) {
  Source& source = source_of(user);
  if (!source.failed) std::vsnprintf(source.message, sizeof(source.message), format, values);
  source.failed = true;
  return 1;  // handled
}

/// A warning of libjpeg is about lost pixels; the others are about tags that are not used.
int on_warning(TIFF* tiff, void* user, const char* module, const char* format, va_list values) {
  if (module == nullptr || std::string_view(module) != "JPEGLib") return 1;
  return on_error(tiff, user, module, format, values);
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};

/// The first page of a file.
class Tiff {
 public:
  Tiff(std::string_view encoded, const std::string& name, const DecodeLimits& limits)
      : name_(name), source_{encoded} {
    const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
    if (!options) throw InputError("{}: libtiff cannot start", name);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxBlockBytes);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &source_);
    tiff_.reset(TIFFClientOpenExt("", "rm", &source_, read_bytes, write_bytes, seek, close_nothing,
                                  size_of, nullptr, nullptr, options.get()));
    if (!tiff_) throw InputError("{}: not a readable TIFF: {}", name, source_.message);
    read_tags(limits);
  }

  Image decode(const DecodeLimits& limits) {
    Image image = allocate_image(width_, height_, name_, limits);
    const bool is_tiled = TIFFIsTiled(tiff_.get()) != 0;
    const int64_t planes = layout_.separate ? layout_.samples : 1;
    const int64_t block_width = is_tiled ? tag("TileWidth", TIFFTAG_TILEWIDTH) : width_;
    const int64_t block_height =
        is_tiled ? tag("TileLength", TIFFTAG_TILELENGTH)
                 : std::min<int64_t>(height_, tag_or(TIFFTAG_ROWSPERSTRIP, UINT32_MAX));
    const int64_t plane_bytes =
        is_tiled ? TIFFTileSize64(tiff_.get()) : TIFFStripSize64(tiff_.get());
    if (block_width < 1 || block_height < 1 || plane_bytes < 1 ||
        plane_bytes > kMaxBlockBytes / planes || block_width > limits.max_pixels / block_height) {
      throw InputError("{}: damaged TIFF: a block of {} x {} pixels, {} bytes", name_, block_width,
                       block_height, plane_bytes);
    }
    std::vector<uint8_t> block(static_cast<size_t>(plane_bytes * planes));
    for (int64_t top = 0; top < height_; top += block_height) {
      for (int64_t left = 0; left < width_; left += block_width) {
        const int64_t rows = std::min(block_height, height_ - top);
        for (int64_t plane = 0; plane < planes; ++plane) {
          read_block(left, top, rows, plane, plane_bytes, block.data() + plane * plane_bytes);
        }
        const TiffBlock area{block.data(), plane_bytes, block_width, rows,
                             std::min(block_width, width_ - left)};
        to_rgb(layout_, area, image.rgb.data() + 3 * (top * width_ + left), width_);
      }
    }
    return turned(std::move(image), orientation_);
  }

 private:
  uint32_t tag(const char* tag_name, uint32_t number) {
    uint32_t value = 0;
    if (TIFFGetField(tiff_.get(), number, &value) != 1) {
      throw InputError("{}: damaged TIFF: it has no tag {}", name_, tag_name);
    }
    return value;
  }
  uint32_t tag_or(uint32_t number, uint32_t otherwise) {
    uint32_t value = otherwise;
    return TIFFGetFieldDefaulted(tiff_.get(), number, &value) == 1 ? value : otherwise;
  }
  uint16_t short_tag_or(uint32_t number, uint16_t otherwise) {
    uint16_t value = otherwise;
    return TIFFGetFieldDefaulted(tiff_.get(), number, &value) == 1 ? value : otherwise;
  }

  void read_tags(const DecodeLimits& limits) {
    width_ = tag("ImageWidth", TIFFTAG_IMAGEWIDTH);
    height_ = tag("ImageLength", TIFFTAG_IMAGELENGTH);
    check_image_size(width_, height_, name_, limits);
    const uint16_t compression = short_tag_or(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    layout_.samples = short_tag_or(TIFFTAG_SAMPLESPERPIXEL, 1);
    layout_.bits = short_tag_or(TIFFTAG_BITSPERSAMPLE, 1);
    layout_.photometric = short_tag_or(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    layout_.separate =
        short_tag_or(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE &&
        layout_.samples > 1;
    orientation_ = short_tag_or(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    uint16_t extras = 0;
    uint16_t* extra_kinds = nullptr;
    TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_EXTRASAMPLES, &extras, &extra_kinds);
    layout_.premultiplied = extras > 0 && extra_kinds[0] == EXTRASAMPLE_ASSOCALPHA;
    const uint16_t format = short_tag_or(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    if (layout_.photometric == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG &&
        !layout_.separate) {
      TIFFSetField(tiff_.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      layout_.photometric = PHOTOMETRIC_RGB;
    }
    if (!is_read(compression) || format != SAMPLEFORMAT_UINT || !layout_.is_known()) {
      throw ForeignFile(
          kUnreadKind,
          fmt::format("{}: expected a TIFF of 1 to 8 bits, or of 16-bit grey or colours, found "
                      "{} samples of {} bits, sample format {}, photometric {}, compression {}",
                      name_, layout_.samples, layout_.bits, format, layout_.photometric,
                      compression));
    }
    if (layout_.photometric == PHOTOMETRIC_PALETTE) read_palette();
    if (source_.failed) throw InputError("{}: damaged TIFF: {}", name_, source_.message);
  }

  static bool is_read(uint16_t compression) {
    constexpr uint16_t kRead[] = {COMPRESSION_NONE,      COMPRESSION_CCITTRLE,
                                  COMPRESSION_CCITTRLEW, COMPRESSION_CCITTFAX3,
                                  COMPRESSION_CCITTFAX4, COMPRESSION_LZW,
                                  COMPRESSION_JPEG,      COMPRESSION_ADOBE_DEFLATE,
                                  COMPRESSION_PACKBITS,  COMPRESSION_DEFLATE};
    return std::find(std::begin(kRead), std::end(kRead), compression) != std::end(kRead) &&
           TIFFIsCODECConfigured(compression) != 0;
  }

  void read_palette() {
    std::array<uint16_t*, 3> colors{};
    if (TIFFGetField(tiff_.get(), TIFFTAG_COLORMAP, &colors[0], &colors[1], &colors[2]) != 1) {
      throw InputError("{}: damaged TIFF: it has no tag ColorMap", name_);
    }
    for (size_t i = 0; i < (size_t{1} << layout_.bits); ++i) {
      for (size_t c = 0; c < 3; ++c) {
        layout_.palette[3 * i + c] = static_cast<uint8_t>(colors[c][i] >> 8);
      }
    }
  }

  void read_block(int64_t left, int64_t top, int64_t rows, int64_t plane, int64_t bytes,
                  uint8_t* target) {
    const auto x = static_cast<uint32_t>(left), y = static_cast<uint32_t>(top);
    const auto p = static_cast<uint16_t>(plane);
    tmsize_t expected = bytes, found = 0;
    if (TIFFIsTiled(tiff_.get()) != 0) {
      found =
          TIFFReadEncodedTile(tiff_.get(), TIFFComputeTile(tiff_.get(), x, y, 0, p), target, bytes);
    } else {
      expected = TIFFVStripSize(tiff_.get(), static_cast<uint32_t>(rows));
      found =
          TIFFReadEncodedStrip(tiff_.get(), TIFFComputeStrip(tiff_.get(), y, p), target, expected);
    }
    if (found != expected || source_.failed) {
      throw InputError("{}: damaged TIFF: {}", name_,
                       source_.failed ? source_.message : "too few pixels");
    }
  }

  const std::string& name_;
  Source source_;
  std::unique_ptr<TIFF, CloseTiff> tiff_;
  int64_t width_ = 0;
  int64_t height_ = 0;
  uint16_t orientation_ = ORIENTATION_TOPLEFT;
  TiffLayout layout_;
};

}  // namespace

Image decode_tiff(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  return Tiff(encoded, name, limits).decode(limits);
}

void check_tiff_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits) {
  const Tiff tiff(encoded, name, limits);
}

}  // namespace lynceus::io::internal
