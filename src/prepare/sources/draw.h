// Draws anti-aliased shapes into RGB images. The coverage of a pixel is clamp(1/2 - d, 0, 1), with
// d the signed distance in pixels from its centre to the outline, negative inside. Only +, -, *, /
// and square roots are used, so the bytes are the same on every machine.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "io/media/image.h"

namespace lynceus::prepare {

using Rgb = std::array<uint8_t, 3>;

/// In pixels from the upper left corner of the image. The centre of the first pixel is (0.5, 0.5).
struct Point {
  double x = 0;
  double y = 0;
};

/// Clipped to the image, as is draw_polygon.
void draw_circle(io::Image& image, Point center, double radius, Rgb color);
/// A convex polygon; corners in clockwise order on the image, which has y downwards.
void draw_polygon(io::Image& image, std::span<const Point> corners, Rgb color);

}  // namespace lynceus::prepare
