// GIF, BMP, TIFF and animated WebP, each made here byte by byte or by its library. More kinds are
// compared with Pillow in tests/oracle/check_pictures.py.
#include <gif_lib.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <webp/encode.h>

#include "core/error.h"
#include "core/random.h"
#include "core/text/foreign_file.h"
#include "io/media/image.h"

namespace lynceus::io {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<uint8_t>;

std::string message_of(const std::string& encoded, const DecodeLimits& limits = {}) {
  std::string of_header = "no error";
  try {
    check_image_header(encoded, "x", limits);
  } catch (const InputError& error) {
    of_header = error.what();
  }
  try {
    decode_image(encoded, "x", limits);
  } catch (const InputError& error) {
    return error.what();
  }
  EXPECT_EQ(of_header, "no error");
  return "no error";
}

std::string little(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i);
  return text;
}

/// Colours 0 to 3: (10, 20, 30), (40, 50, 60), (70, 80, 90), (100, 110, 120).
std::string gif(int screen, const GifImageDesc& area, const Bytes& indices, int transparent = -1) {
  std::string encoded;
  int error = 0;
  GifFileType* file = EGifOpen(
      &encoded,
      [](GifFileType* self, const GifByteType* bytes, int size) {
        static_cast<std::string*>(self->UserData)
            ->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
        return size;
      },
      &error);
  GifColorType colors[4];
  for (int i = 0; i < 12; ++i)
    reinterpret_cast<uint8_t*>(colors)[i] = static_cast<uint8_t>(10 * i + 10);
  ColorMapObject* map = GifMakeMapObject(4, colors);
  EGifPutScreenDesc(file, screen, screen, 8, 0, map);
  if (transparent >= 0) {
    GraphicsControlBlock control{};
    control.TransparentColor = transparent;
    GifByteType block[4];
    EGifGCBToExtension(&control, block);
    EGifPutExtension(file, GRAPHICS_EXT_FUNC_CODE, 4, block);
  }
  EGifPutImageDesc(file, area.Left, area.Top, area.Width, area.Height, area.Interlace, nullptr);
  for (int y = 0; y < area.Height; ++y) {
    EGifPutLine(file, const_cast<uint8_t*>(indices.data()) + y * area.Width, area.Width);
  }
  GifFreeMapObject(map);
  EGifCloseFile(file, &error);
  return encoded;
}

Bytes colors_of(const Bytes& indices) {
  Bytes rgb;
  for (const int index : indices)
    for (int c = 0; c < 3; ++c) rgb.push_back(static_cast<uint8_t>(30 * index + 10 * c + 10));
  return rgb;
}

TEST(Gif, TheFirstImageOnItsBackground) {
  EXPECT_EQ(decode_image(gif(2, {0, 0, 2, 2, false, nullptr}, {0, 1, 2, 3}), "x").rgb,
            colors_of({0, 1, 2, 3}));
  const GifImageDesc corner{1, 1, 1, 1, false, nullptr};
  EXPECT_EQ(decode_image(gif(2, corner, {3}), "x").rgb, colors_of({0, 0, 0, 3}));
  EXPECT_EQ(decode_image(gif(2, corner, {3}, 2), "x").rgb, colors_of({2, 2, 2, 3}));
  const Image larger = decode_image(gif(1, {0, 1, 2, 1, false, nullptr}, {3, 1}), "x");
  EXPECT_EQ(larger.width, 2);
  EXPECT_EQ(larger.rgb, colors_of({0, 0, 3, 1})) << "the image exceeds the screen";
  // Rows in the order 0, 8, 4, 2, 6, 1, 3, 5, 7.
  EXPECT_EQ(decode_image(gif(1, {0, 0, 1, 9, true, nullptr}, {0, 1, 2, 3, 0, 1, 2, 3, 1}), "x").rgb,
            colors_of({0, 1, 3, 2, 2, 3, 0, 1, 1}));
}

TEST(Gif, DamageAndSizes) {
  const GifImageDesc whole{0, 0, 30, 30, false, nullptr};
  const CounterRandom random(1, "gif");
  Bytes indices;
  for (uint64_t i = 0; i < 900; ++i) indices.push_back(static_cast<uint8_t>(random.below(i, 4)));
  const std::string encoded = gif(30, whole, indices);
  EXPECT_EQ(message_of(encoded), "no error");
  EXPECT_THAT(message_of(encoded.substr(0, encoded.size() / 2)), HasSubstr("damaged GIF"));
  EXPECT_THAT(message_of(encoded.substr(0, 20)), HasSubstr("not a readable GIF"));
  EXPECT_THAT(message_of(encoded, {.max_pixels = 899}), HasSubstr("found 30 x 30"));
  EXPECT_THAT(message_of(gif(60000, whole, indices)), HasSubstr("found 60000 x 60000"));
  EXPECT_THAT(message_of(encoded.substr(0, 25) + ";"), HasSubstr("it has no image"));
}

std::string bmp(int width, int height, int bits, uint32_t compression, const std::string& palette,
                const std::string& pixels) {
  return "BM" + little(0, 8) + little(54 + palette.size(), 4) + little(40, 4) +
         little(static_cast<uint32_t>(width), 4) + little(static_cast<uint32_t>(height), 4) +
         little(1, 2) + little(static_cast<uint64_t>(bits), 2) + little(compression, 4) +
         little(0, 12) + little(palette.size() / 4, 4) + little(0, 4) + palette + pixels;
}

TEST(Bmp, RowsOfPixels) {
  const std::string pixels("\x01\x02\x03\x04\x05\x06\0\0\x07\x08\x09\x0A\x0B\x0C\0\0", 16);
  EXPECT_EQ(decode_image(bmp(2, 2, 24, 0, "", pixels), "x").rgb,
            (Bytes{9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(decode_image(bmp(2, -2, 24, 0, "", pixels), "x").rgb,
            (Bytes{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  EXPECT_EQ(decode_image(bmp(1, 1, 16, 0, "", std::string("\xE0\x7F\0\0", 4)), "x").rgb,
            (Bytes{255, 255, 0}));
  const std::string palette("\x01\x02\x03\0\x04\x05\x06\0", 8);
  EXPECT_EQ(decode_image(bmp(2, 1, 1, 0, palette, std::string("\x40\0\0\0", 4)), "x").rgb,
            (Bytes{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(decode_image(bmp(2, 1, 4, 0, palette, std::string("\x19\0\0\0", 4)), "x").rgb,
            (Bytes{6, 5, 4, 9, 9, 9}))
      << "grey for an index without a colour";
}

TEST(Bmp, Runs) {
  const std::string palette("\0\0\0\0\1\1\1\0\2\2\2\0\3\3\3\0", 16);
  const auto grey_of = [&](uint32_t compression, int bits, const std::string& runs) {
    Bytes grey;
    const Image image = decode_image(bmp(5, 2, bits, compression, palette, runs), "x");
    for (size_t i = 0; i < image.rgb.size(); i += 3) grey.push_back(image.rgb[i]);
    return grey;
  };
  // The lower row first: three times 2; after a jump to (4, 1): 1; the end.
  EXPECT_EQ(grey_of(1, 8, std::string("\3\2\0\2\1\1\1\1\0\1", 10)),
            (Bytes{0, 0, 0, 0, 1, 2, 2, 2, 0, 0}));
  // Three pixels as they are, padded; the end of the row; five times 3.
  EXPECT_EQ(grey_of(1, 8, std::string("\0\3\1\2\3\0\0\0\5\3\0\1", 12)),
            (Bytes{3, 3, 3, 3, 3, 1, 2, 3, 0, 0}));
  // Five alternating pixels; the end of the row; five as they are.
  EXPECT_EQ(grey_of(2, 4, std::string("\5\x12\0\0\0\5\x12\x31\x20\0\0\1", 12)),
            (Bytes{1, 2, 3, 1, 2, 1, 2, 1, 2, 1}));
}

TEST(Bmp, DamageAndSizes) {
  const std::string pixels(16, 'x');
  const std::string whole = bmp(2, 2, 24, 0, "", pixels);
  EXPECT_EQ(message_of(whole.substr(0, whole.size() - 2)), "no error") << "padding of the last row";
  EXPECT_THAT(message_of(whole.substr(0, whole.size() - 3)), HasSubstr("expected 14 bytes"));
  EXPECT_THAT(message_of(whole.substr(0, 30)), HasSubstr("damaged BMP: it ends at byte 30"));
  EXPECT_THAT(message_of(bmp(60000, 60000, 24, 0, "", pixels)), HasSubstr("60000 x 60000"));
  EXPECT_THAT(message_of(bmp(2, INT32_MIN, 24, 0, "", pixels)), HasSubstr("2 x 2147483648"));
  EXPECT_THAT(message_of(bmp(2, 2, 24, 4, "", pixels)), HasSubstr("compression 4"));
  EXPECT_THAT(message_of(bmp(5, 2, 8, 1, std::string(1024, '\0'), "\3\2")),
              HasSubstr("damaged BMP: it ends"));
}

struct Tag {
  int number;
  int type;  ///< 3: u16, 4: u32
  std::vector<uint32_t> values;
};

/// Pixels without compression, in one strip.
std::string tiff(int width, int height, const std::string& pixels, std::vector<Tag> tags) {
  tags.insert(tags.begin(), {{256, 4, {static_cast<uint32_t>(width)}},
                             {257, 4, {static_cast<uint32_t>(height)}}});
  tags.push_back({273, 4, {8}});
  tags.push_back({279, 4, {static_cast<uint32_t>(pixels.size())}});
  std::sort(tags.begin(), tags.end(),
            [](const Tag& a, const Tag& b) { return a.number < b.number; });
  const size_t directory = 8 + pixels.size();
  std::string entries, values;
  for (const Tag& tag : tags) {
    std::string packed;
    for (const uint32_t value : tag.values) packed += little(value, tag.type == 3 ? 2 : 4);
    entries += little(static_cast<uint64_t>(tag.number), 2) +
               little(static_cast<uint64_t>(tag.type), 2) + little(tag.values.size(), 4);
    if (packed.size() > 4) {
      entries += little(directory + 2 + 12 * tags.size() + 4 + values.size(), 4);
      values += packed;
    } else {
      entries += packed + std::string(4 - packed.size(), '\0');
    }
  }
  return std::string("II*\0", 4) + little(directory, 4) + pixels + little(tags.size(), 2) +
         entries + little(0, 4) + values;
}

const std::vector<Tag> kRgb{{258, 3, {8, 8, 8}}, {262, 3, {2}}, {277, 3, {3}}};

TEST(Tiff, Samples) {
  EXPECT_EQ(decode_image(tiff(2, 1, "abcdef", kRgb), "x").rgb,
            (Bytes{'a', 'b', 'c', 'd', 'e', 'f'}));
  const auto grey = [&](uint32_t photometric, uint32_t bits, const std::string& pixels) {
    return decode_image(tiff(2, 1, pixels, {{258, 3, {bits}}, {262, 3, {photometric}}}), "x").rgb;
  };
  EXPECT_EQ(grey(1, 8, "\x10\x20"), (Bytes{16, 16, 16, 32, 32, 32}));
  EXPECT_EQ(grey(0, 8, "\x10\x20"), (Bytes{239, 239, 239, 223, 223, 223}));
  EXPECT_EQ(grey(1, 1, "\x40"), (Bytes{0, 0, 0, 255, 255, 255}));
  EXPECT_EQ(grey(1, 4, "\x1F"), (Bytes{17, 17, 17, 255, 255, 255}));
  EXPECT_EQ(grey(1, 16, std::string("\x07\0\0\1", 4)), (Bytes{7, 7, 7, 255, 255, 255}));
  const auto fourth = [&](uint32_t extra) {
    return decode_image(
               tiff(1, 1, "\x10\x20\x30\x80",
                    {{258, 3, {8, 8, 8, 8}}, {262, 3, {2}}, {277, 3, {4}}, {338, 3, {extra}}}),
               "x")
        .rgb;
  };
  EXPECT_EQ(fourth(2), (Bytes{16, 32, 48})) << "alpha is dropped";
  EXPECT_EQ(fourth(1), (Bytes{31, 63, 95})) << "colours are divided by alpha";
  const std::vector<Tag> cmyk{{258, 3, {8, 8, 8, 8}}, {262, 3, {5}}, {277, 3, {4}}};
  EXPECT_EQ(decode_image(tiff(1, 1, std::string("\xFF\0\0\0", 4), cmyk), "x").rgb,
            (Bytes{0, 255, 255}));
}

TEST(Tiff, IsTurnedByItsOrientation) {
  // Stored: 1 2 3 / 4 5 6. As it is to be seen, row by row.
  const Bytes seen[] = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                        {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                        {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (uint32_t orientation = 1; orientation <= 8; ++orientation) {
    const Image image = decode_image(
        tiff(3, 2, "\1\2\3\4\5\6", {{258, 3, {8}}, {262, 3, {1}}, {274, 3, {orientation}}}), "x");
    EXPECT_EQ(image.width, orientation < 5 ? 3 : 2);
    Bytes grey;
    for (size_t i = 0; i < image.rgb.size(); i += 3) grey.push_back(image.rgb[i]);
    EXPECT_EQ(grey, seen[orientation - 1]) << orientation;
  }
}

TEST(Tiff, DamageSizesAndOtherKinds) {
  EXPECT_THAT(message_of(tiff(200, 200, "abcdef", kRgb)), HasSubstr("damaged TIFF"));
  EXPECT_THAT(message_of(tiff(2, 1, "abcdef", kRgb).substr(0, 20)), HasSubstr("readable TIFF"));
  EXPECT_THAT(message_of(tiff(60000, 60000, "abcdef", kRgb)), HasSubstr("60000 x 60000"));
  const std::string real = tiff(1, 1, "abcd", {{258, 3, {32}}, {262, 3, {1}}, {339, 3, {3}}});
  EXPECT_THAT(message_of(real), HasSubstr("found 1 samples of 32 bits, sample format 3"));
  EXPECT_THROW(decode_image(real, "x"), ForeignFile);
}

TEST(Tiff, TilesCountAsPixels) {
  const std::string tiled = tiff(1, 1, std::string(64 * 64, '\x10'),
                                 {{258, 3, {8}}, {262, 3, {1}}, {322, 4, {64}}, {323, 4, {64}}});
  EXPECT_EQ(decode_image(tiled, "x", {.max_pixels = 64 * 64}).rgb, (Bytes{16, 16, 16}));
  EXPECT_THROW(decode_image(tiled, "x", {.max_pixels = 64 * 64 - 1}), InputError);
}

TEST(Webp, TheFirstFrameOfAnAnimation) {
  const Bytes pixels{9, 8, 7, 6, 5, 4};
  uint8_t* bytes = nullptr;
  const size_t size = WebPEncodeLosslessRGB(pixels.data(), 2, 1, 6, &bytes);
  const std::string still(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  const auto chunk = [](const char* name, const std::string& body) {
    return name + little(body.size(), 4) + body + std::string(body.size() % 2, '\0');
  };
  const auto animation = [&](uint64_t x) {
    const std::string frame = little(x / 2, 3) + little(1, 3) + little(1, 3) + little(0, 3) +
                              little(100, 3) + little(0, 1) + still.substr(12);
    const std::string body = "WEBP" + chunk("VP8X", little(2, 4) + little(3, 3) + little(2, 3)) +
                             chunk("ANIM", std::string("\xFF\xFF\xFF\xFF\0\0", 6)) +
                             chunk("ANMF", frame) + chunk("ANMF", frame);
    return "RIFF" + little(body.size(), 4) + body;
  };
  const Image image = decode_image(animation(2), "x");
  EXPECT_EQ(image.width, 4);
  ASSERT_EQ(image.height, 3);
  Bytes expected(36, 0);
  std::copy(pixels.begin(), pixels.end(), expected.begin() + 2 * 12 + 6);
  EXPECT_EQ(image.rgb, expected);
  EXPECT_THAT(message_of(animation(2).substr(0, 70)), HasSubstr("damaged WebP"));
  EXPECT_THAT(message_of(animation(4)), HasSubstr("WebP")) << "outside of the picture";
  EXPECT_THAT(message_of(animation(2), {.max_pixels = 11}), HasSubstr("found 4 x 3"));
}

/// The kind of the ForeignFile.
std::string kind_of(const std::string& encoded) {
  try {
    decode_image(encoded, "x");
  } catch (const ForeignFile& error) {
    return error.kind();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

TEST(OtherFormats, KindsByRealSignaturesOnly) {
  const std::string pixels(4 * 3 * 3, 'p');
  const std::string tga = std::string("\0\0\2\0\0\0\0\0\0\0\0\0", 12) + little(4, 2) +
                          little(3, 2) + std::string("\x18\0", 2) + pixels;
  EXPECT_EQ(kind_of(tga), "unknown picture format");
  EXPECT_EQ(kind_of(tga + std::string(8, '\0') + std::string("TRUEVISION-XFILE.\0", 18)),
            "picture format that is not read: TGA");
  for (const int type : {1, 2, 3}) {
    const auto icon = [&](uint64_t begin) {
      return little(0, 2) + little(type, 2) + little(1, 2) + std::string("\x10\x10\0\0", 4) +
             little(0, 4) + little(pixels.size(), 4) + little(begin, 4) + pixels;
    };
    EXPECT_EQ(kind_of(icon(22)), type == 1   ? "picture format that is not read: ICO"
                                 : type == 2 ? "picture format that is not read: CUR"
                                             : "unknown picture format");
    EXPECT_EQ(kind_of(icon(23)), "unknown picture format") << "its picture ends after the file";
  }
  EXPECT_EQ(kind_of("P5\n# comment\n4 3 255\n"), "picture format that is not read: PNM");
  for (const char* text : {"P5 is a level of the game", "BMW makes cars in Munich", "no picture"})
    EXPECT_EQ(kind_of(text), "unknown picture format") << text;
  EXPECT_EQ(kind_of(std::string(1000, '\0')), "unknown picture format");
}

}  // namespace
}  // namespace lynceus::io
