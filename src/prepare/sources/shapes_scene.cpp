#include "prepare/sources/shapes_scene.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "core/check.h"
#include "prepare/sources/draw.h"

namespace lynceus::prepare {
namespace {

// In the order of ShapeColor.
constexpr Rgb kPalette[] = {{222, 32, 38},  {32, 162, 62},  {36, 82, 222},
                            {238, 212, 28}, {142, 44, 172}, {246, 132, 22}};
constexpr double kSmallest = 1.0 / 10;  // radius as a share of the image side
constexpr double kLargest = 1.0 / 6;
constexpr double kGap = 1.0 / 42;  // between boxes, and to the border
constexpr int kTries = 40;         // to place one shape before the scene is started again
constexpr uint64_t kLightest = 246;
constexpr uint64_t kGreys = 28;  // the background is at most this much darker
constexpr int kNoise = 8;        // grey levels up or down

bool apart(const SceneShape& a, const SceneShape& b, double gap) {
  const double reach = a.radius + b.radius + gap;
  return std::abs(a.x - b.x) >= reach || std::abs(a.y - b.y) >= reach;
}

std::optional<SceneShape> find_place(const Look& look, const Scene& scene, RandomSequence& random) {
  const double gap = kGap * scene.size;
  SceneShape shape{look, 0, 0, random.uniform(kSmallest * scene.size, kLargest * scene.size)};
  for (int attempt = 0; attempt < kTries; ++attempt) {
    shape.x = random.uniform(gap + shape.radius, scene.size - gap - shape.radius);
    shape.y = random.uniform(gap + shape.radius, scene.size - gap - shape.radius);
    const bool fits =
        std::all_of(scene.shapes.begin(), scene.shapes.end(),
                    [&](const SceneShape& other) { return apart(shape, other, gap); });
    if (fits) return shape;
  }
  return std::nullopt;
}

void draw(io::Image& image, const SceneShape& s) {
  const Rgb color = kPalette[static_cast<size_t>(s.look.color)];
  const double r = s.radius;
  switch (s.look.kind) {
    case ShapeKind::kCircle:
      return draw_circle(image, {s.x, s.y}, r, color);
    case ShapeKind::kSquare: {
      const double half = 0.88 * r;  // looks as large as the circle
      const Point corners[] = {{s.x - half, s.y - half},
                               {s.x + half, s.y - half},
                               {s.x + half, s.y + half},
                               {s.x - half, s.y + half}};
      return draw_polygon(image, corners, color);
    }
    case ShapeKind::kTriangle: {
      const Point corners[] = {{s.x, s.y - r}, {s.x + r, s.y + 0.8 * r}, {s.x - r, s.y + 0.8 * r}};
      return draw_polygon(image, corners, color);
    }
  }
}

template <typename Less>
std::vector<size_t> sorted_indices(size_t count, Less less) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), less);
  return order;
}

}  // namespace

Scene place_shapes(const std::vector<Look>& looks, int size, RandomSequence& random) {
  LYNCEUS_CHECK(size >= kMinSceneSize && !looks.empty() && looks.size() <= kMaxShapes,
                "{} shapes in an image of {} pixels", looks.size(), size);
  Scene scene{size, random.below(~uint64_t{0}), {}};
  while (scene.shapes.size() < looks.size()) {
    const auto shape = find_place(looks[scene.shapes.size()], scene, random);
    if (shape) {
      scene.shapes.push_back(*shape);
    } else {
      scene.shapes.clear();
    }
  }
  return scene;
}

io::Image render(const Scene& scene) {
  io::Image image = io::internal::allocate_image(scene.size, scene.size, "scene", {});
  const CounterRandom noise(scene.canvas, "noise");
  const auto ground =
      static_cast<int>(kLightest - CounterRandom(scene.canvas, "grey").below(0, kGreys));
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const auto offset = static_cast<int>(noise.below(i, 2 * kNoise + 1)) - kNoise;
    image.rgb[i] = static_cast<uint8_t>(std::min(ground + offset, 255));
  }
  for (const SceneShape& shape : scene.shapes) draw(image, shape);
  return image;
}

std::string bare_name(const Look& look) {
  return std::string(kShapeColorNames[static_cast<size_t>(look.color)]) + " " +
         kShapeKindNames[static_cast<size_t>(look.kind)];
}

std::string phrase(const Look& look) {
  return (look.color == ShapeColor::kOrange ? "an " : "a ") + bare_name(look);
}

std::string number_word(size_t count) {
  constexpr const char* kWords[] = {"zero", "one", "two", "three", "four"};
  LYNCEUS_CHECK(count < std::size(kWords), "{} shapes", count);
  return kWords[count];
}

std::string caption(const Scene& scene) {
  std::vector<std::string> groups;
  for (uint64_t i = 0; i < kShapeColors * kShapeKinds; ++i) {
    const Look look{static_cast<ShapeKind>(i % kShapeKinds),
                    static_cast<ShapeColor>(i / kShapeKinds)};
    const auto count = static_cast<size_t>(
        std::count_if(scene.shapes.begin(), scene.shapes.end(),
                      [&](const SceneShape& shape) { return shape.look == look; }));
    if (count == 1) groups.push_back(phrase(look));
    if (count > 1) groups.push_back(number_word(count) + " " + bare_name(look) + "s");
  }
  std::string text = groups[0];
  for (size_t i = 1; i < groups.size(); ++i) {
    text += (i + 1 < groups.size() ? ", " : " and ") + groups[i];
  }
  return text;
}

std::string enumeration(const Scene& scene, const std::vector<size_t>& order) {
  std::string text;
  for (const size_t index : order) {
    text += (text.empty() ? "" : ", ") + phrase(scene.shapes[index].look);
  }
  return text;
}

std::vector<size_t> left_to_right(const Scene& scene) {
  return sorted_indices(scene.shapes.size(),
                        [&](size_t a, size_t b) { return scene.shapes[a].x < scene.shapes[b].x; });
}

std::vector<size_t> top_to_bottom(const Scene& scene) {
  return sorted_indices(scene.shapes.size(),
                        [&](size_t a, size_t b) { return scene.shapes[a].y < scene.shapes[b].y; });
}

}  // namespace lynceus::prepare
