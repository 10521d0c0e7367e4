// Anti-aliased shapes into RGB pictures. A pixel is covered by as much as its centre lies inside
// the outline: coverage = clamp(1/2 - d, 0, 1) with d the signed distance to the outline in pixels,
// negative inside. Only +, -, *, / and square roots, so the same bytes come out everywhere. Used by
// the generated world of shapes.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "io/media/image.h"

namespace lynceus::prepare {

using Rgb = std::array<uint8_t, 3>;

/// Pixels, from the upper left corner of the picture; the first pixel's centre is (0.5, 0.5).
struct Point {
  double x = 0;
  double y = 0;
};

/// What lies outside the picture is cut off.
void draw_circle(io::Image& image, Point center, double radius, Rgb color);
/// Convex; the corners clockwise as seen on the picture.
void draw_polygon(io::Image& image, std::span<const Point> corners, Rgb color);

}  // namespace lynceus::prepare
