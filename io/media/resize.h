// Bicubic resize of RGB bytes, bit-equal to Pillow's Image.resize(size, BICUBIC): the released
// model's inputs were made by it, and a grey level of difference moves the features.
//
// For an axis of n pixels resized to m: s = n / m, f = max(s, 1), support 2f; output pixel i has
// its centre at (i + 0.5) s and sums the input pixels x within the support with weights k((x + 0.5
// - centre) / f), normalised to 1, k being Keys' cubic with a = -0.5. Weights are rounded to 22
// fractional bits, each axis is rounded to 8 bits: first the rows, then the columns.
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

/// The whole image resized. width, height > 0.
Image resize_bicubic(const Image& image, int width, int height);
/// `box` of the image, as if it were cut out first; it must lie inside.
Image resize_bicubic(const Image& image, const CropBox& box, int width, int height);
/// `box` of what resize_bicubic(image, width, height) would give, without making the rest. The box
/// may reach outside: those pixels are black, as torchvision pads.
Image resize_bicubic_crop(const Image& image, int width, int height, const CropBox& box);

}  // namespace lynceus::io
