// JPEG, PNG and WebP: unchanged, and with the checksums of PNG's chunks corrected, so that mutated
// chunks are read. The header of an image that decodes must be accepted.
#include "io/media/image.h"

#include <zlib.h>

#include "fuzz/fuzz.h"

using namespace lynceus;

namespace {

uint32_t big_endian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::string with_checksums(std::string png) {
  constexpr size_t kSignature = 8;
  for (size_t at = kSignature; at + 12 <= png.size();) {
    const uint64_t length = big_endian(png, at);
    if (length > png.size() - at - 12) break;
    const auto crc = static_cast<uint32_t>(crc32(
        0, reinterpret_cast<const Bytef*>(png.data() + at + 4), static_cast<uInt>(length + 4)));
    for (size_t i = 0; i < 4; ++i)
      png[at + 8 + length + i] = static_cast<char>(crc >> (24 - 8 * i));
    at += 12 + length;
  }
  return png;
}

void decode(const std::string& bytes) {
  constexpr io::DecodeLimits kLimits{.max_pixels = 1 << 20};
  const bool header = fuzz::accepts([&] { io::check_image_header(bytes, "input", kLimits); });
  fuzz::accepts([&] {
    const io::Image image = io::decode_image(bytes, "input", kLimits);
    fuzz::require(header, "the header of an image that decodes");
    fuzz::require(image.rgb.size() == size_t{3} * static_cast<size_t>(image.width) *
                                          static_cast<size_t>(image.height),
                  "three bytes a pixel");
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input = fuzz::text_of(data, size);
  decode(input);
  if (!input.starts_with("\x89PNG")) return 0;
  const std::string fixed = with_checksums(input);
  if (fixed != input) decode(fixed);
  return 0;
}
