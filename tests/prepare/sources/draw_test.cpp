// Areas and edges of drawn shapes against their geometry.
#include "prepare/sources/draw.h"

#include <gtest/gtest.h>

#include <numbers>

namespace lynceus::prepare {
namespace {

io::Image black(int width, int height) {
  return {width, height,
          std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
}

/// The sum of the red channel in units of white pixels.
double area(const io::Image& image) {
  double sum = 0;
  for (size_t i = 0; i < image.rgb.size(); i += 3) sum += image.rgb[i] / 255.0;
  return sum;
}

int red(const io::Image& image, int x, int y) {
  return image.rgb[3 * (static_cast<size_t>(y) * static_cast<size_t>(image.width) +
                        static_cast<size_t>(x))];
}

constexpr Rgb kWhite = {255, 255, 255};

TEST(Draw, ACircleCoversItsArea) {
  for (const double radius : {1.5, 4.0, 9.3, 20.0}) {
    io::Image image = black(50, 48);
    draw_circle(image, {24.3, 25.1}, radius, kWhite);
    // A ring of coverage from 1 to 0 over radius +- 1/2 adds pi / 12.
    const double expected = std::numbers::pi * (radius * radius + 1.0 / 12);
    EXPECT_NEAR(area(image), expected, 0.002 * expected + 0.1);
    EXPECT_EQ(red(image, 24, 25), 255);
    EXPECT_EQ(red(image, 0, 0), 0);
  }
}

TEST(Draw, ASquareOnPixelBordersIsExact) {
  io::Image image = black(12, 12);
  const Point corners[] = {{3, 2}, {7, 2}, {7, 9}, {3, 9}};
  draw_polygon(image, corners, {10, 200, 30});
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 12; ++x)
      EXPECT_EQ(red(image, x, y), x >= 3 && x < 7 && y >= 2 && y < 9 ? 10 : 0) << x << " " << y;
  EXPECT_EQ(image.rgb[3 * (5 * 12 + 5) + 1], 200);
  EXPECT_EQ(image.rgb[3 * (5 * 12 + 5) + 2], 30);
}

TEST(Draw, AnEdgeThroughAPixelCoversItsShare) {
  io::Image image = black(12, 12);
  const Point corners[] = {{3.25, 2}, {7.5, 2}, {7.5, 9}, {3.25, 9}};
  draw_polygon(image, corners, kWhite);
  EXPECT_NEAR(red(image, 3, 5), 0.75 * 255, 1);
  EXPECT_NEAR(red(image, 7, 5), 0.5 * 255, 1);
  EXPECT_EQ(red(image, 2, 5), 0);
  EXPECT_EQ(red(image, 4, 5), 255);
}

TEST(Draw, ATriangleCoversItsArea) {
  io::Image image = black(60, 60);
  const Point corners[] = {{30, 8}, {52, 49}, {11, 44}};
  draw_polygon(image, corners, kWhite);
  const double twice = (52 - 30) * (44 - 8.0) - (11 - 30) * (49 - 8.0);
  EXPECT_NEAR(area(image), twice / 2, 0.01 * twice);
}

TEST(Draw, PartsOutsideAreCutOff) {
  io::Image image = black(10, 8);
  draw_circle(image, {0, 0}, 5, kWhite);
  draw_circle(image, {100, 4}, 30, kWhite);
  draw_circle(image, {-80, -70}, 20, kWhite);
  EXPECT_NEAR(area(image), std::numbers::pi * 25 / 4, 0.6);
  EXPECT_EQ(red(image, 9, 7), 0);
}

}  // namespace
}  // namespace lynceus::prepare
