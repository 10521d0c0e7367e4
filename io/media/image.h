// Decodes images to RGB bytes, equal to those of PIL's Image.open(...).convert("RGB"), so that
// training sees the same pixels as the released model.
//
// JPEG: libjpeg-turbo, slow integer DCT, fancy upsampling; grey is replicated, CMYK and YCCK follow
// Adobe's inverted convention; the EXIF orientation is ignored. PNG: palettes and low depths are
// expanded, 16-bit samples keep their upper byte, alpha is dropped without compositing. WebP: still
// images only, alpha is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lynceus::io {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct DecodeLimits {
  /// Checked against the header before anything is allocated: 20 KB may claim 12 GiB.
  int64_t max_pixels = 64 << 20;
};

/// Decodes a JPEG, PNG or WebP image in memory. Messages contain `name`. InputError for an image
/// that is incomplete, damaged (also if the decoder only warns) or larger than the limit.
/// Thread-safe; every call makes a new decoder, because a damaged image may spoil the decoder's
/// state.
///
/// `kept_side` > 0: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter
/// side still has that many pixels. This is faster, and the pixels differ from Pillow's.
Image decode_image(std::string_view encoded, const std::string& name,
                   const DecodeLimits& limits = {}, int kept_side = 0);

/// Checks only the header: type and size, with the same errors. Fast; damage after the header is
/// not found.
void check_image_header(std::string_view encoded, const std::string& name,
                        const DecodeLimits& limits = {});

namespace internal {
/// InputError if the size is empty or over the limit.
void check_image_size(int64_t width, int64_t height, const std::string& name,
                      const DecodeLimits& limits);
/// An image of the given size, its memory allocated; InputError as check_image_size().
Image allocate_image(int64_t width, int64_t height, const std::string& name,
                     const DecodeLimits& limits);
}  // namespace internal

}  // namespace lynceus::io
