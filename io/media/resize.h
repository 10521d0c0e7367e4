// Bicubic resize of RGB bytes, bit-equal to Pillow's Image.resize(size, BICUBIC), which the
// released model uses. A difference of one grey level changes the features.
//
// For an axis of n pixels resized to m:
//   output[i] = sum over x of w(i, x) * input[x],  over the pixels x within 2f of c
//   s = n / m,  f = max(s, 1),  c = (i + 0.5) s
//   w(i, x) = k((x + 0.5 - c) / f), normalized to sum 1;  k: Keys' cubic with a = -0.5
// Weights are rounded to 22 fractional bits. Each pass is rounded to 8 bits: first along the rows,
// then along the columns.
#pragma once

#include "io/media/image.h"

namespace lynceus::io {

/// A part of an image: width x height pixels from (left, top).
struct CropBox {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

/// Resizes the image. width, height > 0.
Image resize_bicubic(const Image& image, int width, int height);
/// Crops to `box`, then resizes. The box must be inside the image.
Image resize_bicubic(const Image& image, const CropBox& box, int width, int height);
/// Resizes, then crops to `box`; computes only the pixels of the box. Pixels of the box outside of
/// the resized image are black, as in torchvision's padding.
Image resize_bicubic_crop(const Image& image, int width, int height, const CropBox& box);

}  // namespace lynceus::io
