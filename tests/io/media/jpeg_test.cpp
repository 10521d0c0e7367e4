// JPEGs over which libjpeg warns: faults that change no pixel are accepted, lost pixels are not.
#include "io/media/jpeg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"

namespace lynceus::io {
namespace {

using testing::HasSubstr;

constexpr size_t kEoiBytes = 2;

std::string noisy_jpeg() {
  const CounterRandom random(3, "noise");
  Image image{64, 48, {}};
  for (uint64_t i = 0; i < 64 * 48 * 3; ++i) {
    image.rgb.push_back(static_cast<uint8_t>(random.bits(i) % 64 + i / 48));
  }
  return encode_jpeg(image, 80);
}

std::string inserted(std::string encoded, size_t at, std::string_view bytes) {
  return encoded.insert(at, bytes);
}

/// The marker segment with this code begins here.
size_t segment(const std::string& encoded, char code) {
  const size_t at = encoded.find(std::string("\xFF") + code);
  EXPECT_NE(at, std::string::npos);
  return at;
}

TEST(Jpeg, FaultsThatChangeNoPixelAreAccepted) {
  const std::string encoded = noisy_jpeg();
  const Image expected = decode_image(encoded, "whole");
  const size_t end = encoded.size() - kEoiBytes;
  const std::string adobe(
      "\xFF\xEE\x00\x0E"
      "Adobe\x00\x64\x00\x00\x00\x00\x09",
      16);
  const std::string profile("\xFF\xE2\x00\x12ICC_PROFILE\x00\x05\x02zz", 20);
  std::string revision = encoded;
  revision[segment(encoded, '\xE0') + 9] = 2;
  std::string spectrum = encoded;  // the last three bytes of the scan's header
  spectrum[segment(encoded, '\xDA') + 12] = 0;
  const std::pair<const char*, std::string> kinds[] = {
      {"before a table", inserted(encoded, segment(encoded, '\xDB'), "ab")},
      {"before the frame", inserted(encoded, segment(encoded, '\xC0'), std::string(300, 'x'))},
      {"before the scan", inserted(encoded, segment(encoded, '\xDA'), "xyz")},
      {"before the end", inserted(encoded, end, std::string(2, '\0'))},
      {"many before the end", inserted(encoded, end, std::string(1153, 'x'))},
      {"after the end", encoded + "trailer"},
      {"an unknown transform", inserted(encoded, segment(encoded, '\xDB'), adobe)},
      {"a broken profile", inserted(encoded, segment(encoded, '\xDB'), profile)},
      {"a later revision", revision},
      {"a wrong spectral range", spectrum},
  };
  for (const auto& [what, bytes] : kinds) {
    SCOPED_TRACE(what);
    ASSERT_NE(bytes, encoded);
    EXPECT_EQ(decode_image(bytes, "warned").rgb, expected.rgb);
    check_image_header(bytes, "warned");
  }
}

TEST(Jpeg, LostPixelsAreRefused) {
  const std::string encoded = noisy_jpeg();
  const size_t scan = segment(encoded, '\xDA') + 14;
  const size_t middle = (scan + encoded.size()) / 2;
  const auto cut = [&](size_t kept) { return encoded.substr(0, kept); };
  const std::pair<const char*, std::string> kinds[] = {
      {"half of it", cut(middle)},
      {"no end marker", cut(encoded.size() - kEoiBytes)},
      {"the end marker too early", cut(middle) + "\xFF\xD9"},
      {"a restart marker where there are none", inserted(encoded, middle, "\xFF\xD0")},
  };
  for (const auto& [what, bytes] : kinds) {
    SCOPED_TRACE(what);
    EXPECT_THROW(decode_image(bytes, "lost"), InputError);
  }
}

// libjpeg has no check sum: it finds damaged codes only where they lose its place. Then bytes are
// often left over after the last pixel.
TEST(Jpeg, BytesOfADamagedScanAreNoExtraBytes) {
  const std::string encoded = noisy_jpeg();
  const size_t scan = segment(encoded, '\xDA') + 14;
  const CounterRandom random(4, "damage");
  int refused = 0;
  for (uint64_t i = 0; i < 400; ++i) {
    std::string damaged = encoded;
    const size_t at = scan + random.below(3 * i, encoded.size() - scan - 20);
    for (size_t k = 0; k < 8; ++k)
      damaged[at + k] = static_cast<char>(random.bits(3 * i + 1) >> (8 * k));
    try {
      decode_image(damaged, "damaged");
    } catch (const InputError&) {
      ++refused;
    }
  }
  std::printf("%d of 400 refused\n", refused);
  EXPECT_GE(refused, 150);
}

}  // namespace
}  // namespace lynceus::io
