// Decoders: pixels equal Pillow's, unusual kinds of images, damage, bombs, and that an intact image
// decodes correctly after a damaged one.
#include "io/media/image.h"
#include "io/media/jpeg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

#include "core/error.h"
#include "core/random.h"
#include "io/files/file.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kSources = fs::path(LYNCEUS_SOURCE_DIR) / "tests/golden/preprocess/src";

std::string message_of(const std::string& encoded, const DecodeLimits& limits = {}) {
  try {
    decode_image(encoded, "picture.x", limits);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.rgb.push_back(static_cast<uint8_t>(x * 255 / width));
      image.rgb.push_back(static_cast<uint8_t>(y * 255 / height));
      image.rgb.push_back(128);
    }
  }
  return image;
}

/// samples: rows in libpng's layout for this color type and depth.
std::string encode_png(int width, int height, int color_type, int depth, bool interlaced,
                       const std::vector<uint8_t>& samples,
                       const std::vector<png_color>& palette = {}) {
  std::string encoded;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_write_fn(
      png, &encoded,
      [](png_structp self, png_bytep data, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(self))
            ->append(reinterpret_cast<char*>(data), size);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), depth,
               color_type, interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!palette.empty()) {
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
    const std::vector<png_byte> alpha(palette.size(), 40);
    png_set_tRNS(png, info, alpha.data(), static_cast<int>(alpha.size()), nullptr);
  }
  png_write_info(png, info);
  std::vector<png_bytep> rows;
  const size_t stride = samples.size() / static_cast<size_t>(height);
  for (int y = 0; y < height; ++y) {
    rows.push_back(const_cast<png_bytep>(samples.data() + stride * static_cast<size_t>(y)));
  }
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return encoded;
}

std::string encode_jpeg_of(const std::vector<uint8_t>& samples, int width, int height,
                           int components, J_COLOR_SPACE from, J_COLOR_SPACE to, bool progressive) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = components;
  info.in_color_space = from;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, to);
  jpeg_set_quality(&info, 100, TRUE);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<uint8_t*>(samples.data()) +
                static_cast<size_t>(width) * components * info.next_scanline;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  std::string encoded(reinterpret_cast<char*>(buffer), size);
  jpeg_destroy_compress(&info);
  std::free(buffer);
  return encoded;
}

TEST(Image, JpegPixelsEqualPillows) {
  const Image jpeg = decode_image(read_text(kSources / "rocket.jpg"), "rocket.jpg");
  const Image expected = decode_image(read_text(kSources / "rocket.decoded.png"), "rocket.png");
  ASSERT_EQ(jpeg.rgb.size(), expected.rgb.size());
  int difference = 0;
  for (size_t i = 0; i < jpeg.rgb.size(); ++i) {
    difference = std::max(difference, std::abs(jpeg.rgb[i] - expected.rgb[i]));
  }
  EXPECT_LE(difference, 1);
  std::printf("rocket.jpg: max difference %d\n", difference);
}

/// Means over squares of `shrink` x `shrink` pixels; the last ones may be smaller.
Image averaged(const Image& image, int shrink) {
  Image small{(image.width + shrink - 1) / shrink, (image.height + shrink - 1) / shrink, {}};
  for (int y = 0; y < small.height; ++y)
    for (int x = 0; x < small.width; ++x)
      for (int c = 0; c < 3; ++c) {
        int sum = 0, count = 0;
        for (int v = y * shrink; v < std::min(image.height, (y + 1) * shrink); ++v)
          for (int u = x * shrink; u < std::min(image.width, (x + 1) * shrink); ++u, ++count)
            sum += image.rgb[static_cast<size_t>(3 * (v * image.width + u) + c)];
        small.rgb.push_back(static_cast<uint8_t>(sum / count));
      }
  return small;
}

TEST(Image, JpegIsDecodedSmallerWhereAllowed) {
  const std::string encoded = read_text(kSources / "rocket.jpg");
  const Image whole = decode_image(encoded, "rocket.jpg");
  const int side = std::min(whole.width, whole.height);
  for (const int shrink : {1, 2, 4, 8}) {
    const Image expected = averaged(whole, shrink);
    // The longest and the shortest side for which this is allowed.
    for (const int kept : {side / shrink, side / (2 * shrink) + 1}) {
      if (shrink == 8 && kept != side / shrink) continue;
      const Image found = decode_image(encoded, "rocket.jpg", {}, kept);
      ASSERT_EQ(found.width, expected.width) << kept;
      ASSERT_EQ(found.height, expected.height) << kept;
      double difference = 0;
      for (size_t i = 0; i < found.rgb.size(); ++i)
        difference += std::abs(found.rgb[i] - expected.rgb[i]);
      EXPECT_LT(difference / static_cast<double>(found.rgb.size()), 2.5) << kept;
    }
  }
  EXPECT_EQ(decode_image(encoded, "rocket.jpg", {}, side + 1).rgb, whole.rgb);
  EXPECT_EQ(decode_image(encoded, "rocket.jpg", {}, 1).width, (whole.width + 7) / 8);
  DecodeLimits limits;
  limits.max_pixels = int64_t{whole.width} * whole.height - 1;
  EXPECT_THROW(decode_image(encoded, "rocket.jpg", limits, 1), InputError) << "the header counts";
  const std::string torn = encoded.substr(0, encoded.size() / 2);
  EXPECT_THROW(decode_image(torn, "torn", {}, 1), InputError);
}

TEST(Image, JpegRoundTripIsClose) {
  const Image image = gradient(50, 31);
  const Image back = decode_image(encode_jpeg(image, 95), "gradient");
  ASSERT_EQ(back.width, 50);
  ASSERT_EQ(back.height, 31);
  for (size_t i = 0; i < image.rgb.size(); ++i) EXPECT_NEAR(back.rgb[i], image.rgb[i], 12);
}

TEST(Image, GreyAndProgressiveJpegs) {
  const std::vector<uint8_t> grey(16 * 16, 77);
  for (const bool progressive : {false, true}) {
    const Image image = decode_image(
        encode_jpeg_of(grey, 16, 16, 1, JCS_GRAYSCALE, JCS_GRAYSCALE, progressive), "grey");
    EXPECT_EQ(image.rgb, std::vector<uint8_t>(16 * 16 * 3, 77));
  }
}

TEST(Image, CmykJpegsFollowAdobe) {
  // Stored 255 - ink: cyan 155, magenta 55, yellow 0, black 35.
  std::vector<uint8_t> cmyk;
  for (int i = 0; i < 16 * 16; ++i) cmyk.insert(cmyk.end(), {100, 200, 255, 220});
  for (const auto to : {JCS_CMYK, JCS_YCCK}) {
    const Image image = decode_image(encode_jpeg_of(cmyk, 16, 16, 4, JCS_CMYK, to, false), "cmyk");
    EXPECT_NEAR(image.rgb[0], 100 * 220 / 255, 2);
    EXPECT_NEAR(image.rgb[1], 200 * 220 / 255, 2);
    EXPECT_NEAR(image.rgb[2], 220, 2);
  }
}

TEST(Image, PngKinds) {
  for (const bool interlaced : {false, true}) {
    SCOPED_TRACE(interlaced);
    const Image alpha = decode_image(
        encode_png(1, 2, PNG_COLOR_TYPE_RGB_ALPHA, 8, interlaced, {1, 2, 3, 0, 4, 5, 6, 255}),
        "alpha");
    EXPECT_EQ(alpha.rgb, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6})) << "dropped, not composited";
    const Image deep = decode_image(
        encode_png(1, 1, PNG_COLOR_TYPE_RGB, 16, interlaced, {10, 255, 20, 0, 30, 128}), "deep");
    EXPECT_EQ(deep.rgb, (std::vector<uint8_t>{10, 20, 30})) << "the upper byte";
    const Image deep_grey =
        decode_image(encode_png(4, 2, PNG_COLOR_TYPE_GRAY, 16, interlaced,
                                {0, 0, 0, 7, 0, 255, 1, 0, 128, 5, 0, 9, 255, 255, 0, 200}),
                     "deep grey");
    std::vector<uint8_t> clipped;
    for (const int value : {0, 7, 255, 255, 255, 9, 255, 200}) {
      clipped.insert(clipped.end(), 3, static_cast<uint8_t>(value));
    }
    EXPECT_EQ(deep_grey.rgb, clipped) << "above 255: clipped";
    const Image deep_grey_alpha =
        decode_image(encode_png(1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 16, interlaced, {70, 9, 8, 7}),
                     "deep grey with alpha");
    EXPECT_EQ(deep_grey_alpha.rgb, (std::vector<uint8_t>{70, 70, 70})) << "the upper byte";
    const Image grey_alpha = decode_image(
        encode_png(1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, interlaced, {9, 100}), "grey alpha");
    EXPECT_EQ(grey_alpha.rgb, (std::vector<uint8_t>{9, 9, 9}));
    const Image bits =
        decode_image(encode_png(8, 1, PNG_COLOR_TYPE_GRAY, 1, interlaced, {0x80}), "bits");
    EXPECT_EQ(bits.rgb[0], 255);
    EXPECT_EQ(bits.rgb[3], 0);
    const Image palette = decode_image(
        encode_png(2, 1, PNG_COLOR_TYPE_PALETTE, 4, interlaced, {0x10}, {{7, 8, 9}, {70, 80, 90}}),
        "palette");
    EXPECT_EQ(palette.rgb, (std::vector<uint8_t>{70, 80, 90, 7, 8, 9}));
  }
}

std::string encode_webp(const Image& image) {
  uint8_t* bytes = nullptr;
  const size_t size =
      WebPEncodeLosslessRGB(image.rgb.data(), image.width, image.height, image.width * 3, &bytes);
  std::string encoded(reinterpret_cast<const char*>(bytes), size);
  WebPFree(bytes);
  return encoded;
}

TEST(Image, Webp) {
  const Image image = gradient(37, 21);
  const std::string encoded = encode_webp(image);
  const Image decoded = decode_image(encoded, "webp");
  EXPECT_EQ(decoded.width, 37);
  EXPECT_EQ(decoded.height, 21);
  EXPECT_EQ(decoded.rgb, image.rgb);
  EXPECT_THAT(message_of(encoded.substr(0, 14)), HasSubstr("not a readable WebP"));
  EXPECT_THAT(message_of(encoded.substr(0, encoded.size() / 2)), HasSubstr("damaged WebP"));
  EXPECT_THAT(message_of(encoded, {.max_pixels = 776}), HasSubstr("found 37 x 21"));
  const std::string no_frame =
      encoded.substr(0, 12) + std::string("VP8X\x0a\0\0\0\x02\0\0\0\x24\0\0\x14\0\0", 18);
  EXPECT_THAT(message_of(no_frame), HasSubstr("damaged WebP: its first frame is incomplete"));
}

TEST(Image, HeadersAlone) {
  const std::string jpeg = encode_jpeg(gradient(64, 48), 90);
  const std::string png = read_text(kSources / "camera_gray.png");
  const std::string webp = encode_webp(gradient(64, 48));
  for (const std::string& whole : {jpeg, png, webp}) {
    check_image_header(whole, "whole");
    check_image_header(whole.substr(0, whole.size() - 30), "cut");
    EXPECT_THROW(check_image_header(whole.substr(0, 14), "no header"), InputError);
    EXPECT_THROW(check_image_header(whole, "large", {.max_pixels = 3071}), InputError);
  }
  EXPECT_THROW(check_image_header("GIF89a", "no header"), InputError);
  EXPECT_THROW(check_image_header("no image", "other"), InputError);
}

TEST(Image, ErrorsNameTheFault) {
  EXPECT_THAT(message_of(""), HasSubstr("picture.x is an empty file; expected a JPEG, PNG"));
  EXPECT_THAT(message_of("no image"),
              HasSubstr("TIFF image, found 8 bytes, first bytes: 6e 6f 20 69"));
  const std::string jpeg = encode_jpeg(gradient(64, 64), 90);
  EXPECT_THAT(message_of(jpeg.substr(0, jpeg.size() - 30)), HasSubstr("damaged JPEG"));
  EXPECT_THAT(message_of(jpeg.substr(0, 40)), HasSubstr("not a readable JPEG"));
  const std::string png = read_text(kSources / "camera_gray.png");
  EXPECT_THAT(message_of(png.substr(0, png.size() / 2)), HasSubstr("damaged PNG"));
  std::string flipped = png;
  flipped[flipped.size() / 2] ^= 4;
  EXPECT_THAT(message_of(flipped), HasSubstr("damaged PNG"));
  flipped = png;
  flipped[17] ^= 1;  // in the header
  EXPECT_THAT(message_of(flipped), HasSubstr("not a readable PNG"));
}

TEST(Image, ClaimedSizesAreCheckedBeforeAllocating) {
  EXPECT_THAT(message_of(encode_jpeg(gradient(100, 100), 90), {.max_pixels = 9999}),
              HasSubstr("expected an image of at most 9999 pixels, found 100 x 100"));
  std::string bomb = encode_jpeg(gradient(16, 16), 90);
  const size_t frame = bomb.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  bomb.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  EXPECT_THAT(message_of(bomb), HasSubstr("found 65280 x 65280"));
  EXPECT_THROW(decode_image(bomb, "x"), ImageTooLarge);
  bomb.replace(frame + 5, 4, "\xFF\xFF\xFF\xFF", 4);
  EXPECT_THROW(check_image_header(bomb, "x"), ImageTooLarge) << "too large for libjpeg too";
}

TEST(Image, PngIsReadIfAllItsPixelsAreThere) {
  const Image image = gradient(37, 21);
  for (const bool interlaced : {false, true}) {
    const std::string png = encode_png(37, 21, PNG_COLOR_TYPE_RGB, 8, interlaced, image.rgb);
    constexpr size_t kEndBytes = 12;  // of the chunk IEND
    const std::string pixels = png.substr(0, png.size() - kEndBytes);
    for (const std::string& end : {std::string(), std::string(3, '\0'), std::string("other bytes")})
      EXPECT_EQ(decode_image(pixels + end, "x").rgb, image.rgb) << end;
    EXPECT_THAT(message_of(pixels.substr(0, pixels.size() - 1)),
                HasSubstr("the file ends too early"));
    std::string flipped = pixels;
    flipped.back() ^= 1;  // of the checksum
    EXPECT_THAT(message_of(flipped), HasSubstr("damaged PNG"));
  }
  const std::string wide =
      encode_png(2'000'000, 1, PNG_COLOR_TYPE_GRAY, 8, false, std::vector<uint8_t>(2'000'000, 9));
  EXPECT_EQ(decode_image(wide, "x").width, 2'000'000);
  EXPECT_THROW(decode_image(wide, "x", {.max_pixels = 1'999'999}), ImageTooLarge);
}

TEST(Image, ThousandsOfMutantsNeitherCrashNorSpoilGoodOnes) {
  const std::string good[] = {
      encode_jpeg(gradient(48, 40), 85),
      encode_jpeg_of(gradient(48, 40).rgb, 48, 40, 3, JCS_RGB, JCS_YCbCr, true),
      encode_png(48, 40, PNG_COLOR_TYPE_RGB, 8, true, gradient(48, 40).rgb)};
  const CounterRandom random(5, "mutants");
  uint64_t draw = 0;
  int refused = 0;
  for (const std::string& encoded : good) {
    const Image expected = decode_image(encoded, "good");
    for (int i = 0; i < 1334; ++i) {
      std::string mutant = encoded;
      const uint64_t flips = 1 + random.below(draw++, 4);
      for (uint64_t f = 0; f < flips; ++f) {
        const uint64_t position = random.below(draw++, mutant.size());
        mutant[position] = static_cast<char>(random.bits(draw++));
      }
      if (i % 5 == 0) mutant.resize(random.below(draw++, mutant.size()));
      refused += message_of(mutant, {.max_pixels = 1 << 20}) != "no error";
      if (i % 50 == 0) {
        ASSERT_EQ(decode_image(encoded, "good").rgb, expected.rgb);
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace lynceus::io
