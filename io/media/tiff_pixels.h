// The samples of a TIFF to RGB bytes, as Pillow converts them.
#pragma once

#include <array>
#include <cstdint>

#include "io/media/image.h"

namespace lynceus::io::internal {

/// How the samples of a pixel are stored, and what they mean. Numbers are those of the TIFF tags.
struct TiffLayout {
  int samples = 1;             ///< a pixel
  int bits = 1;                ///< a sample: 1, 2, 4, 8 or 16
  int photometric = 0;         ///< 0 and 1: grey, 2: RGB, 3: palette, 5: CMYK
  bool separate = false;       ///< each sample has a plane of its own
  bool premultiplied = false;  ///< colours are multiplied by the fourth sample, alpha
  std::array<uint8_t, 256 * 3> palette{};

  /// Whether to_rgb() can convert it.
  bool is_known() const;
};

/// A strip or a tile: planes of rows; each row is padded to whole bytes. 16-bit samples are in the
/// order of this machine.
struct TiffBlock {
  const uint8_t* data = nullptr;
  int64_t plane_bytes = 0;
  int64_t width = 0;  ///< of a row in memory, pixels
  int64_t rows = 0;
  int64_t used = 0;  ///< pixels of a row that belong to the image
};

/// Writes block.rows rows of block.used pixels to `rgb`, whose rows have `stride` pixels. Of 16-bit
/// colours the upper byte is kept, 16-bit grey is clipped at 255; alpha is dropped, but colours
/// multiplied by it are divided by it.
void to_rgb(const TiffLayout& layout, const TiffBlock& block, uint8_t* rgb, int64_t stride);

/// The image turned and mirrored by the tag Orientation, 1 to 8; unchanged for other values.
Image turned(Image image, int orientation);

}  // namespace lynceus::io::internal
