// Decodes images to RGB bytes, equal to those of PIL's Image.open(...).convert("RGB"), so that
// training sees the same pixels as the released model.
//
//   JPEG  libjpeg-turbo, slow integer DCT, fancy upsampling; grey is replicated; CMYK and YCCK
//         follow Adobe's inverted convention; the EXIF orientation is ignored; faults that change
//         no pixel are accepted (unknown JFIF revision, extra bytes before a marker)
//   PNG   palettes and depths below 8 bits are expanded; of 16-bit colours, and of grey with alpha,
//         the upper byte is kept; 16-bit grey is clipped: values above 255 become 255 (PIL's I;16);
//         alpha is dropped without compositing; what follows the pixels and their checksum is not
//         read, so it may be damaged or missing
//   WebP  the first frame of an animation, on black; alpha is dropped
//   GIF   the first image, on the transparent colour or else colour 0; nothing is transparent
//   BMP   1 to 32 bits, masks, runs, top-down; alpha is dropped
//   TIFF  the first page: grey, palettes, RGB and CMYK of 1 to 8 or 16 bits (as for PNG), YCbCr in
//         JPEG; alpha is dropped, except that colours multiplied by it are divided by it; turned by
//         the tag Orientation
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace lynceus::io {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct DecodeLimits {
  /// Checked with the header before anything is allocated: a file of 20 KB may claim 12 GiB.
  int64_t max_pixels = 64 << 20;
};

/// An image with more pixels than the limit. It may be intact.
class ImageTooLarge : public InputError {
 public:
  ImageTooLarge(const std::string& name, int64_t width, int64_t height, const DecodeLimits& limits)
      : InputError("{}: expected an image of at most {} pixels, found {} x {}", name,
                   limits.max_pixels, width, height) {}
};

/// Decodes an image in memory. Messages contain `name`. ForeignFile for bytes of a format that is
/// not read (AVIF, a web page, a Git LFS pointer) or not known; its kind says which. ImageTooLarge.
/// InputError for an image that is incomplete or damaged (for JPEG also if the decoder only warns
/// of lost pixels). Thread-safe: every call makes a new decoder, because a damaged image may
/// corrupt its state.
///
/// `kept_side` > 0: a JPEG is decoded at the smallest of 1, 1/2, 1/4 and 1/8 of its size whose
/// shorter side has at least that many pixels. This is faster, but the pixels differ from Pillow's.
Image decode_image(std::string_view encoded, const std::string& name,
                   const DecodeLimits& limits = {}, int kept_side = 0);

/// Checks only type and size in the header, with the same errors. Fast; does not find damage after
/// the header.
void check_image_header(std::string_view encoded, const std::string& name,
                        const DecodeLimits& limits = {});

namespace internal {
/// ImageTooLarge; InputError if the image is empty.
void check_image_size(int64_t width, int64_t height, const std::string& name,
                      const DecodeLimits& limits);
/// Allocates an image after check_image_size().
Image allocate_image(int64_t width, int64_t height, const std::string& name,
                     const DecodeLimits& limits);
}  // namespace internal

}  // namespace lynceus::io
