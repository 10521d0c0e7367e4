// One picture of the generated world: what stands where, how it looks, how it is put into words.
// Used by the shapes source; tests recompute answers from a Scene.
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

/// What a shape looks like, wherever it stands.
struct Look {
  ShapeKind kind = ShapeKind::kCircle;
  ShapeColor color = ShapeColor::kRed;

  bool operator==(const Look&) const = default;
};

/// Stands in the box center ± radius; pixels, y downwards.
struct SceneShape {
  Look look;
  double x = 0;
  double y = 0;
  double radius = 0;
};

struct Scene {
  int size = 0;         ///< side of the picture, pixels
  uint64_t canvas = 0;  ///< key of the background's grey and noise
  std::vector<SceneShape> shapes;
};

/// Random numbers one after the other from a keyed family.
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

/// Shapes of these looks at random places in the picture. Their boxes, 1/5 to 1/3 of the side, stay
/// clear of each other and of the border, so any two are apart from left to right or from top to
/// bottom. `size` at least kMinSceneSize, one to four looks.
Scene place_shapes(const std::vector<Look>& looks, int size, RandomSequence& random);
constexpr int kMinSceneSize = 28;

/// The picture: solid colors on a light grey ground with noise.
io::Image render(const Scene& scene);

/// "a red circle", "an orange square".
std::string phrase(const Look& look);
/// "red circle".
std::string bare_name(const Look& look);
/// "one" to "four".
std::string number_word(size_t count);
/// Equal shapes together, in the order of the colors' and kinds' lists: "two red circles and a blue
/// square".
std::string caption(const Scene& scene);
/// One by one in the given order of indices into scene.shapes: "a red circle, a blue square".
std::string enumeration(const Scene& scene, const std::vector<size_t>& order);
/// Indices into scene.shapes from left to right, or from top to bottom.
std::vector<size_t> left_to_right(const Scene& scene);
std::vector<size_t> top_to_bottom(const Scene& scene);

}  // namespace lynceus::prepare
