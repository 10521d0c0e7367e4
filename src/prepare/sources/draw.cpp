// Circles and convex polygons by their signed distance.
#include "prepare/sources/draw.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace lynceus::prepare {
namespace {

struct Box {
  Point low;
  Point high;
};

/// Blends `color` into the pixels of `box` by the coverage that `distance(point)` gives.
template <typename Distance>
void fill(io::Image& image, const Box& box, Rgb color, Distance distance) {
  const auto first = [](double at) { return std::max(0, static_cast<int>(std::floor(at)) - 1); };
  const auto last = [](double at, int size) {
    return std::min(size - 1, static_cast<int>(std::ceil(at)) + 1);
  };
  for (int y = first(box.low.y); y <= last(box.high.y, image.height); ++y) {
    for (int x = first(box.low.x); x <= last(box.high.x, image.width); ++x) {
      const double coverage = std::clamp(0.5 - distance({x + 0.5, y + 0.5}), 0.0, 1.0);
      uint8_t* pixel = image.rgb.data() + 3 * (static_cast<size_t>(y) * image.width + x);
      for (size_t channel = 0; channel < 3; ++channel) {
        const double value = pixel[channel] + coverage * (color[channel] - pixel[channel]);
        pixel[channel] = static_cast<uint8_t>(value + 0.5);
      }
    }
  }
}

}  // namespace

void draw_circle(io::Image& image, Point center, double radius, Rgb color) {
  const Box box{{center.x - radius, center.y - radius}, {center.x + radius, center.y + radius}};
  fill(image, box, color, [&](Point p) {
    const double dx = p.x - center.x;
    const double dy = p.y - center.y;
    return std::sqrt(dx * dx + dy * dy) - radius;
  });
}

void draw_polygon(io::Image& image, std::span<const Point> corners, Rgb color) {
  LYNCEUS_CHECK(corners.size() >= 3, "{} corners", corners.size());
  Box box{corners[0], corners[0]};
  for (const Point& corner : corners) {
    box.low = {std::min(box.low.x, corner.x), std::min(box.low.y, corner.y)};
    box.high = {std::max(box.high.x, corner.x), std::max(box.high.y, corner.y)};
  }
  // The largest distance to the line of an edge. Beyond a corner it is slightly too small, which
  // changes the corner by less than a pixel.
  fill(image, box, color, [&](Point p) {
    double distance = -1e9;
    for (size_t i = 0; i < corners.size(); ++i) {
      const Point& a = corners[i];
      const Point& b = corners[(i + 1) % corners.size()];
      const double ex = b.x - a.x;
      const double ey = b.y - a.y;
      const double cross = ey * (p.x - a.x) - ex * (p.y - a.y);
      distance = std::max(distance, cross / std::sqrt(ex * ex + ey * ey));
    }
    return distance;
  });
}

}  // namespace lynceus::prepare
