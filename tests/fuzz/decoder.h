// Decodes an input with one decoder of pictures.
#pragma once

#include "fuzz/fuzz.h"
#include "io/media/image.h"

namespace lynceus::fuzz {

template <typename Check, typename Decode>
void decode(const std::string& bytes, const Check& check, const Decode& decode) {
  constexpr io::DecodeLimits kLimits{.max_pixels = 1 << 20};
  const bool header = accepts([&] { check(bytes, "input", kLimits); });
  accepts([&] {
    const io::Image image = decode(bytes, "input", kLimits);
    require(header, "the header of an image that decodes");
    const int64_t pixels = int64_t{image.width} * image.height;
    require(pixels > 0 && pixels <= kLimits.max_pixels, "the limit of pixels");
    require(image.rgb.size() == size_t{3} * static_cast<size_t>(pixels), "three bytes a pixel");
  });
}

}  // namespace lynceus::fuzz
