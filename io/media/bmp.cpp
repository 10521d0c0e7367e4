#include "io/media/bmp.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "core/error.h"

namespace lynceus::io::internal {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kOs2HeaderBytes = 12;

enum Compression : uint32_t {
  kNone = 0,
  kRle8 = 1,
  kRle4 = 2,
  kBitFields = 3,
  kAlphaBitFields = 6
};

struct Header {
  uint32_t bytes = 0;  // without the file header
  int64_t width = 0;
  int64_t height = 0;
  bool top_down = false;
  int bits = 0;  // a pixel
  uint32_t compression = kNone;
  std::array<uint32_t, 3> masks{};         // red, green, blue; of 16 and 32 bits
  std::array<uint8_t, 256 * 3> palette{};  // up to 8 bits; grey for indices without a colour
  size_t pixels_at = 0;

  size_t row_bytes() const {  // padded to four bytes
    return (static_cast<size_t>(width) * static_cast<size_t>(bits) + 31) / 32 * 4;
  }
};

class Bmp {
 public:
  Bmp(std::string_view encoded, const std::string& name, const DecodeLimits& limits)
      : encoded_(encoded), name_(name) {
    read_header();
    check_image_size(header_.width, header_.height, name, limits);
    read_masks();
    read_palette();
  }

  Image decode(const DecodeLimits& limits) {
    Image image = allocate_image(header_.width, header_.height, name_, limits);
    if (header_.compression == kRle8 || header_.compression == kRle4) {
      decode_runs(image);
    } else {
      decode_rows(image);
    }
    return image;
  }

 private:
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw InputError("{}: {}", name_, fmt::format(format, std::forward<Args>(args)...));
  }

  uint8_t byte(size_t at) const {
    if (at >= encoded_.size()) refuse("damaged BMP: it ends at byte {}", encoded_.size());
    return static_cast<uint8_t>(encoded_[at]);
  }
  uint32_t u16(size_t at) const { return byte(at) | uint32_t{byte(at + 1)} << 8; }
  uint32_t u32(size_t at) const { return u16(at) | u16(at + 2) << 16; }

  void read_header() {
    constexpr uint32_t kKnown[] = {kOs2HeaderBytes, 40, 52, 56, 64, 108, 124};
    const size_t at = kFileHeaderBytes;
    header_.pixels_at = u32(10);
    header_.bytes = u32(at);
    if (std::find(std::begin(kKnown), std::end(kKnown), header_.bytes) == std::end(kKnown)) {
      refuse("not a readable BMP: a header of {} bytes", header_.bytes);
    }
    byte(at + header_.bytes - 1);
    if (header_.bytes == kOs2HeaderBytes) {
      header_.width = u16(at + 4);
      header_.height = u16(at + 6);
      header_.bits = static_cast<int>(u16(at + 10));
    } else {
      header_.width = std::bit_cast<int32_t>(u32(at + 4));
      header_.height = std::bit_cast<int32_t>(u32(at + 8));
      header_.bits = static_cast<int>(u16(at + 14));
      header_.compression = u32(at + 16);
      header_.top_down = header_.height < 0;
      header_.height = std::abs(header_.height);
    }
    check_kind();
  }

  void check_kind() const {
    const auto has_bits = [&](std::initializer_list<int> all) {
      return std::find(all.begin(), all.end(), header_.bits) != all.end();
    };
    bool known = false;
    switch (header_.compression) {
      case kNone:
        known = has_bits({1, 2, 4, 8, 16, 24, 32});
        break;
      case kRle8:
        known = has_bits({8});
        break;
      case kRle4:
        known = has_bits({4});
        break;
      case kBitFields:
      case kAlphaBitFields:
        known = has_bits({16, 24, 32}) && header_.bytes != 64;  // in OS/2 files: Huffman codes
        break;
    }
    if (!known) {
      refuse("not a readable BMP: {} bits a pixel with compression {}", header_.bits,
             header_.compression);
    }
  }

  bool has_masks() const {
    return header_.compression == kBitFields || header_.compression == kAlphaBitFields;
  }

  void read_masks() {
    if (header_.bits == 16) header_.masks = {0x7C00, 0x03E0, 0x001F};
    if (header_.bits > 16) header_.masks = {0xFF0000, 0x00FF00, 0x0000FF};
    if (!has_masks()) return;
    std::array<uint32_t, 3> masks{};
    for (size_t i = 0; i < 3; ++i) {  // the last fields of the header, or after it
      masks[i] = u32(kFileHeaderBytes + 40 + 4 * i);
      const uint32_t bits = masks[i] == 0 ? 0 : masks[i] >> std::countr_zero(masks[i]);
      if ((bits & (bits + 1)) != 0) refuse("not a readable BMP: the mask {:08x}", masks[i]);
    }
    if (masks != std::array<uint32_t, 3>{}) header_.masks = masks;
  }

  void read_palette() {
    size_t at = kFileHeaderBytes + header_.bytes;
    if (has_masks() && header_.bytes == 40) at += header_.compression == kBitFields ? 12 : 16;
    if (header_.bits <= 8) {
      for (size_t i = 0; i < header_.palette.size(); ++i) {
        header_.palette[i] = static_cast<uint8_t>(i / 3);
      }
      const bool is_os2 = header_.bytes == kOs2HeaderBytes;
      const size_t entry_bytes = is_os2 ? 3 : 4;
      const uint32_t stored = is_os2 ? 0 : u32(kFileHeaderBytes + 32);
      const size_t colors = stored == 0 ? size_t{1} << header_.bits : stored;
      if (colors > 65536) refuse("not a readable BMP: {} colours", colors);
      for (size_t i = 0; i < std::min<size_t>(colors, 256); ++i) {
        for (size_t c = 0; c < 3; ++c) {
          header_.palette[3 * i + c] = byte(at + entry_bytes * i + 2 - c);
        }
      }
      // Some writers count no palette in the offset of the pixels.
      if (header_.pixels_at == at) header_.pixels_at += entry_bytes * colors;
      at += entry_bytes * colors;
    }
    if (header_.pixels_at == 0) header_.pixels_at = at;
  }

  uint8_t* row(Image& image, size_t y) const {
    const auto height = static_cast<size_t>(header_.height);
    return image.rgb.data() +
           3 * static_cast<size_t>(header_.width) * (header_.top_down ? y : height - 1 - y);
  }

  void put_index(uint8_t* rgb, size_t index) const {
    std::memcpy(rgb, header_.palette.data() + 3 * index, 3);
  }

  void decode_rows(Image& image) const {
    const auto width = static_cast<size_t>(header_.width);
    const auto bits = static_cast<size_t>(header_.bits);
    const size_t used = (width * bits + 7) / 8;  // the padding of the last row may be absent
    const size_t rows = static_cast<size_t>(header_.height);
    const size_t expected = (rows - 1) * header_.row_bytes() + used;
    if (header_.pixels_at > encoded_.size() || expected > encoded_.size() - header_.pixels_at) {
      refuse("damaged BMP: expected {} bytes of pixels, found {}", expected,
             encoded_.size() - std::min(header_.pixels_at, encoded_.size()));
    }
    const auto* source = reinterpret_cast<const uint8_t*>(encoded_.data()) + header_.pixels_at;
    for (size_t y = 0; y < rows; ++y, source += header_.row_bytes()) {
      uint8_t* rgb = row(image, y);
      if (bits <= 8) {
        for (size_t x = 0; x < width; ++x) {
          const size_t shift = 8 - bits - x * bits % 8;
          put_index(rgb + 3 * x, source[x * bits / 8] >> shift & ((1u << bits) - 1));
        }
      } else {
        for (size_t x = 0; x < width; ++x) put_color(rgb + 3 * x, source + x * bits / 8);
      }
    }
  }

  void put_color(uint8_t* rgb, const uint8_t* source) const {
    uint32_t pixel = 0;
    for (int i = 0; i < header_.bits / 8; ++i) pixel |= uint32_t{source[i]} << 8 * i;
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t mask = header_.masks[c];
      if (mask == 0) {
        rgb[c] = 0;
        continue;
      }
      const int shift = std::countr_zero(mask);
      const uint64_t value = (pixel & mask) >> shift;
      rgb[c] = static_cast<uint8_t>(value * 255 / (mask >> shift));
    }
  }

  /// Runs of equal pixels, runs of pixels as they are, and codes for the end of a row or of the
  /// bitmap and for a jump. Pixels that are jumped over have index 0.
  void decode_runs(Image& image) const {
    const bool nibbles = header_.compression == kRle4;
    const auto width = static_cast<size_t>(header_.width);
    const auto height = static_cast<size_t>(header_.height);
    for (size_t y = 0; y < height; ++y) {
      for (size_t x = 0; x < width; ++x) put_index(row(image, y) + 3 * x, 0);
    }
    size_t at = header_.pixels_at;
    size_t x = 0, y = 0;
    const auto put = [&](size_t index) {
      if (x < width) put_index(row(image, y) + 3 * x++, index);
    };
    const auto pixel_of = [&](size_t byte, size_t i) {
      return !nibbles ? byte : i % 2 == 0 ? byte >> 4 : byte & 15;
    };
    while (y < height && (y + 1 < height || x < width)) {
      const size_t count = byte(at);
      const size_t code = byte(at + 1);
      at += 2;
      if (count > 0) {
        for (size_t i = 0; i < count; ++i) put(pixel_of(code, i));
      } else if (code == 0) {
        x = 0;
        ++y;
      } else if (code == 1) {
        return;
      } else if (code == 2) {
        x += byte(at);
        y += byte(at + 1);
        at += 2;
      } else {
        for (size_t i = 0; i < code; ++i) put(pixel_of(byte(at + (nibbles ? i / 2 : i)), i));
        at += ((nibbles ? (code + 1) / 2 : code) + 1) / 2 * 2;
      }
    }
  }

  std::string_view encoded_;
  const std::string& name_;
  Header header_;
};

}  // namespace

Image decode_bmp(std::string_view encoded, const std::string& name, const DecodeLimits& limits) {
  return Bmp(encoded, name, limits).decode(limits);
}

void check_bmp_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits) {
  const Bmp bmp(encoded, name, limits);
}

}  // namespace lynceus::io::internal
