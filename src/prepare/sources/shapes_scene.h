// One scene of the shapes corpus: placing the shapes, drawing them and describing them in words.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"
#include "io/media/image.h"

namespace lynceus::prepare {

enum class ShapeKind : uint8_t { kCircle, kSquare, kTriangle };
enum class ShapeColor : uint8_t { kRed, kGreen, kBlue, kYellow, kPurple, kOrange };
constexpr std::array kShapeKindNames = {"circle", "square", "triangle"};
constexpr std::array kShapeColorNames = {"red", "green", "blue", "yellow", "purple", "orange"};
constexpr uint64_t kShapeKinds = kShapeKindNames.size();
constexpr uint64_t kShapeColors = kShapeColorNames.size();
constexpr int kMaxShapes = 4;

/// The appearance of a shape, without its place.
struct Look {
  ShapeKind kind = ShapeKind::kCircle;
  ShapeColor color = ShapeColor::kRed;

  bool operator==(const Look&) const = default;
};

/// Its bounding box is center ± radius; in pixels, y downwards.
struct SceneShape {
  Look look;
  double x = 0;
  double y = 0;
  double radius = 0;
};

struct Scene {
  int size = 0;         ///< side of the image, pixels
  uint64_t canvas = 0;  ///< random key of the grey background and its noise
  std::vector<SceneShape> shapes;
};

/// Successive random numbers of a keyed generator.
class RandomSequence {
 public:
  RandomSequence(uint64_t key, std::string_view name) : random_(key, name) {}
  uint64_t below(uint64_t bound) { return random_.below(next_++, bound); }
  double uniform(double low, double high) { return low + (high - low) * random_.uniform(next_++); }
  Look look() {
    const auto kind = static_cast<ShapeKind>(below(kShapeKinds));
    return {kind, static_cast<ShapeColor>(below(kShapeColors))};
  }

 private:
  CounterRandom random_;
  uint64_t next_ = 0;
};

/// Shapes with these looks at random places. Their bounding boxes are 1/5 to 1/3 of the image side
/// and do not touch each other or the border, so any two shapes are separate horizontally or
/// vertically. `size` is at least kMinSceneSize; one to four looks.
Scene place_shapes(const std::vector<Look>& looks, int size, RandomSequence& random);
constexpr int kMinSceneSize = 28;

/// Solid colors on a light grey background with noise.
io::Image render(const Scene& scene);

/// "a red circle", "an orange square".
std::string phrase(const Look& look);
/// "red circle".
std::string bare_name(const Look& look);
/// "one" to "four".
std::string number_word(size_t count);
/// Equal shapes are counted, in the order of kShapeColorNames, then kShapeKindNames: "two red
/// circles and a blue square".
std::string caption(const Scene& scene);
/// Each shape, in the given order of indices into scene.shapes: "a red circle, a blue square".
std::string enumeration(const Scene& scene, const std::vector<size_t>& order);
/// Indices into scene.shapes from left to right, or from top to bottom.
std::vector<size_t> left_to_right(const Scene& scene);
std::vector<size_t> top_to_bottom(const Scene& scene);

}  // namespace lynceus::prepare
