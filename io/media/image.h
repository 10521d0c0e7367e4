// Encoded pictures to RGB bytes and back, as PIL's Image.open(...).convert("RGB") gives them, so
// that training sees what the released model saw. Used by the media loader and by `prepare`.
//
// JPEG: libjpeg-turbo, slow integer DCT, fancy upsampling; grey is replicated, CMYK and YCCK follow
// Adobe's inverted convention; the EXIF orientation is ignored. PNG: palettes and low depths are
// expanded, 16-bit samples keep their upper byte, alpha is dropped without compositing. WebP: still
// pictures, alpha dropped likewise.
#pragma once

#include <cstdint>
#include <span>
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

/// Decodes a JPEG, PNG or WebP held in memory. `name` stands in messages. InputError for anything
/// that is not a complete, undamaged picture (a decoder's warning about corrupt data counts) or is
/// too big. Thread-safe; a fresh decoder each call, because one that met damage may spoil its
/// successors.
///
/// `kept_side` > 0: a JPEG comes at a half, a quarter or an eighth of its size, the smallest whose
/// shorter side still has that many pixels. Less work, and not the pixels of Pillow.
Image decode_image(std::string_view encoded, const std::string& name,
                   const DecodeLimits& limits = {}, int kept_side = 0);

/// The same refusals as far as the header shows a reason for them: type and size. Fast;
/// damage behind the header is not seen.
void check_image_header(std::string_view encoded, const std::string& name,
                        const DecodeLimits& limits = {});

/// Baseline JPEG, 4:2:0, quality 1 to 100.
std::string encode_jpeg(const Image& image, int quality);

namespace internal {
Image decode_jpeg(std::string_view encoded, const std::string& name, const DecodeLimits& limits,
                  int kept_side);
Image decode_png(std::string_view encoded, const std::string& name, const DecodeLimits& limits);
Image decode_webp(std::string_view encoded, const std::string& name, const DecodeLimits& limits);
void check_jpeg_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits);
void check_png_header(std::string_view encoded, const std::string& name,
                      const DecodeLimits& limits);
void check_webp_header(std::string_view encoded, const std::string& name,
                       const DecodeLimits& limits);
/// InputError if the size is empty or over the limit.
void check_image_size(int64_t width, int64_t height, const std::string& name,
                      const DecodeLimits& limits);
/// An Image of the given size with its memory; InputError if the size is empty or over the limit.
Image allocate_image(int64_t width, int64_t height, const std::string& name,
                     const DecodeLimits& limits);
}  // namespace internal

}  // namespace lynceus::io
