// giflib's DGifSlurp() reads all images of a file before their sizes can be checked. Therefore the
// records are read one by one, up to the first image.
#include "io/media/gif.h"

#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"

namespace lynceus::io::internal {
namespace {

using Palette = std::array<uint8_t, 256 * 3>;

struct Source {
  std::string_view encoded;
  size_t position = 0;
};

int read_bytes(GifFileType* gif, GifByteType* target, int size) {
  auto* source = static_cast<Source*>(gif->UserData);
  const size_t count =
      std::min(static_cast<size_t>(std::max(size, 0)), source->encoded.size() - source->position);
  std::memcpy(target, source->encoded.data() + source->position, count);
  source->position += count;
  return static_cast<int>(count);
}

/// A file that is read up to the pixels of its first image.
class Gif {
 public:
  Gif(std::string_view encoded, const std::string& name) : name_(name), source_{encoded} {
    int error = 0;
    gif_ = DGifOpen(&source_, read_bytes, &error);
    if (gif_ == nullptr) refuse("not a readable GIF", error);
  }
  ~Gif() { DGifCloseFile(gif_, nullptr); }
  Gif(const Gif&) = delete;
  Gif& operator=(const Gif&) = delete;

  /// Reads up to the pixels of the first image.
  void find_image() {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (record != IMAGE_DESC_RECORD_TYPE) {
      if (DGifGetRecordType(gif_, &record) == GIF_ERROR) refuse("not a readable GIF", gif_->Error);
      if (record == EXTENSION_RECORD_TYPE) read_extension();
      if (record == TERMINATE_RECORD_TYPE) {
        throw InputError("{}: not a readable GIF: it has no image", name_);
      }
    }
    if (DGifGetImageDesc(gif_) == GIF_ERROR) refuse("not a readable GIF", gif_->Error);
  }

  const GifImageDesc& area() const { return gif_->Image; }
  /// Of the result: the screen, made larger for an image that exceeds it, as in Pillow.
  int width() const { return std::max(gif_->SWidth, area().Left + area().Width); }
  int height() const { return std::max(gif_->SHeight, area().Top + area().Height); }
  /// The colour index around the image.
  int background() const { return transparent_.value_or(0); }

  /// The colours of the image, or else of the file; grey for indices without a colour.
  Palette palette() const {
    Palette palette;
    for (size_t i = 0; i < palette.size(); ++i) palette[i] = static_cast<uint8_t>(i / 3);
    const ColorMapObject* colors = area().ColorMap != nullptr ? area().ColorMap : gif_->SColorMap;
    const int count = colors == nullptr ? 0 : std::min(colors->ColorCount, 256);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      palette[3 * i] = colors->Colors[i].Red;
      palette[3 * i + 1] = colors->Colors[i].Green;
      palette[3 * i + 2] = colors->Colors[i].Blue;
    }
    return palette;
  }

  /// Calls visit(y, indices) with each row of the image, 0 <= y < area().Height.
  template <typename Visit>
  void read_rows(const Visit& visit) {
    std::vector<GifPixelType> indices(static_cast<size_t>(area().Width));
    // The four passes of an interlaced image: first row and distance of the rows.
    constexpr std::array<std::pair<int, int>, 4> kPasses{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    const int passes = area().Interlace ? 4 : 1;
    for (int pass = 0; pass < passes; ++pass) {
      const auto [first, distance] =
          area().Interlace ? kPasses[static_cast<size_t>(pass)] : std::pair{0, 1};
      for (int y = first; y < area().Height; y += distance) {
        if (DGifGetLine(gif_, indices.data(), area().Width) == GIF_ERROR) {
          refuse("damaged GIF", gif_->Error);
        }
        visit(y, indices);
      }
    }
  }

 private:
  [[noreturn]] void refuse(const char* what, int error) const {
    const char* text = GifErrorString(error);
    throw InputError("{}: {}: {}", name_, what, text == nullptr ? "unknown error" : text);
  }

  void read_extension() {
    int code = 0;
    GifByteType* block = nullptr;  // its length, then its bytes; null after the last
    int status = DGifGetExtension(gif_, &code, &block);
    while (status == GIF_OK && block != nullptr) {
      GraphicsControlBlock control{};
      if (code == GRAPHICS_EXT_FUNC_CODE &&
          DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK) {
        transparent_.reset();
        if (control.TransparentColor != NO_TRANSPARENT_COLOR) {
          transparent_ = control.TransparentColor;
        }
      }
      status = DGifGetExtensionNext(gif_, &block);
    }
    if (status == GIF_ERROR) refuse("not a readable GIF", gif_->Error);
  }

  const std::string& name_;
  Source source_;
  GifFileType* gif_ = nullptr;
  std::optional<int> transparent_;
};

}  // namespace

Image decode_gif(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  Gif gif(encoded, name);
  gif.find_image();
  check_image_size(gif.area().Width, gif.area().Height, name, limits);
  Image image = allocate_image(gif.width(), gif.height(), name, limits);
  const Palette palette = gif.palette();
  const auto color = [&](int index) { return palette.data() + 3 * index; };
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = color(gif.background())[i % 3];
  gif.read_rows([&](int y, const std::vector<GifPixelType>& indices) {
    const auto first = static_cast<size_t>(gif.area().Top + y) * static_cast<size_t>(image.width) +
                       static_cast<size_t>(gif.area().Left);
    uint8_t* rgb = image.rgb.data() + 3 * first;
    for (const GifPixelType index : indices) {
      std::memcpy(rgb, color(index), 3);
      rgb += 3;
    }
  });
  return image;
}

void check_gif_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits) {
  Gif gif(encoded, name);
  gif.find_image();
  check_image_size(gif.area().Width, gif.area().Height, name, limits);
  check_image_size(gif.width(), gif.height(), name, limits);
}

}  // namespace lynceus::io::internal
