#include "io/media/tiff_pixels.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lynceus::io::internal {
namespace {

enum Photometric { kMinIsWhite = 0, kMinIsBlack = 1, kRgb = 2, kPalette = 3, kCmyk = 5 };

/// Sample s of pixel x in row y, at its full depth.
int sample_of(const TiffLayout& layout, const TiffBlock& block, int64_t x, int64_t y, int s) {
  const int64_t samples = layout.separate ? 1 : layout.samples;
  const uint8_t* plane = block.data + (layout.separate ? s * block.plane_bytes : 0);
  const uint8_t* row = plane + y * ((block.width * samples * layout.bits + 7) / 8);
  const int64_t index = x * samples + (layout.separate ? 0 : s);
  if (layout.bits == 8) return row[index];
  if (layout.bits == 16) {
    uint16_t value = 0;
    std::memcpy(&value, row + 2 * index, sizeof(value));
    return value;
  }
  const auto bit = index * layout.bits;
  return row[bit / 8] >> (8 - layout.bits - bit % 8) & ((1 << layout.bits) - 1);
}

uint8_t grey(const TiffLayout& layout, int value) {
  if (layout.bits == 16) return static_cast<uint8_t>(std::min(value, 255));
  const int most = (1 << layout.bits) - 1;
  const int grey = value * 255 / most;
  return static_cast<uint8_t>(layout.photometric == kMinIsWhite ? 255 - grey : grey);
}

/// Rounds as Pillow's MULDIV255.
int product(int a, int b) {
  const int sum = a * b + 128;
  return (sum + (sum >> 8)) >> 8;
}

uint8_t divided_by_alpha(int color, int alpha) {
  if (alpha == 0 || alpha == 255) return static_cast<uint8_t>(alpha == 0 ? 0 : color);
  return static_cast<uint8_t>(std::min(color * 255 / alpha, 255));
}

void put_pixel(const TiffLayout& layout, const TiffBlock& block, int64_t x, int64_t y,
               uint8_t* rgb) {
  const auto sample = [&](int s) { return sample_of(layout, block, x, y, s); };
  const auto byte = [&](int s) { return layout.bits == 16 ? sample(s) >> 8 : sample(s); };
  switch (layout.photometric) {
    case kRgb:
      for (int c = 0; c < 3; ++c) {
        rgb[c] = layout.premultiplied ? divided_by_alpha(byte(c), byte(3))
                                      : static_cast<uint8_t>(byte(c));
      }
      break;
    case kPalette:
      std::memcpy(rgb, layout.palette.data() + 3 * sample(0), 3);
      break;
    case kCmyk: {
      const int white = 255 - byte(3);
      for (int c = 0; c < 3; ++c) {
        rgb[c] = static_cast<uint8_t>(std::clamp(white - product(byte(c), white), 0, 255));
      }
      break;
    }
    default:
      std::memset(rgb, grey(layout, sample(0)), 3);
  }
}

}  // namespace

bool TiffLayout::is_known() const {
  constexpr int kMostSamples = 6;
  const bool bytes = bits == 8 || bits == 16;
  switch (photometric) {
    case kMinIsWhite:
    case kMinIsBlack:
      return samples == 1 ? bits == 1 || bits == 2 || bits == 4 || bytes
                          : samples == 2 && bits == 8 && photometric == kMinIsBlack;
    case kRgb:
      return bytes && samples >= (premultiplied ? 4 : 3) && samples <= kMostSamples;
    case kPalette:
      return samples <= 2 && (bits == 8 || (samples == 1 && (bits == 1 || bits == 2 || bits == 4)));
    case kCmyk:
      return bytes && samples >= 4 && samples <= kMostSamples;
    default:
      return false;
  }
}

void to_rgb(const TiffLayout& layout, const TiffBlock& block, uint8_t* rgb, int64_t stride) {
  for (int64_t y = 0; y < block.rows; ++y) {
    for (int64_t x = 0; x < block.used; ++x) {
      put_pixel(layout, block, x, y, rgb + 3 * (y * stride + x));
    }
  }
}

Image turned(Image image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  // Of the stored image: whether x and y are swapped, and which of them then run backwards.
  const bool swapped = orientation >= 5;
  const bool right_to_left =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool bottom_up =
      orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  Image result{swapped ? image.height : image.width, swapped ? image.width : image.height, {}};
  result.rgb.resize(image.rgb.size());
  for (int64_t y = 0; y < result.height; ++y) {
    for (int64_t x = 0; x < result.width; ++x) {
      const int64_t u = right_to_left ? result.width - 1 - x : x;
      const int64_t v = bottom_up ? result.height - 1 - y : y;
      const int64_t from = swapped ? u * image.width + v : v * image.width + u;
      std::memcpy(&result.rgb[static_cast<size_t>(3 * (y * result.width + x))],
                  &image.rgb[static_cast<size_t>(3 * from)], 3);
    }
  }
  return result;
}

}  // namespace lynceus::io::internal
