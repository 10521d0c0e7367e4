#include "prepare/sources/shapes.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "core/check.h"

namespace lynceus::prepare {
namespace {

constexpr int kJpegQuality = 95;
constexpr int kWeightsOfFew[] = {0, 4, 3, 2, 1};    // by the number of shapes
constexpr int kWeightsOfPairs[] = {0, 0, 3, 2, 1};  // at least two
constexpr const char* kYesNo[] = {"yes", "no"};

size_t draw_weighted(std::span<const int> weights, RandomSequence& random) {
  auto rest = static_cast<int64_t>(
      random.below(static_cast<uint64_t>(std::accumulate(weights.begin(), weights.end(), 0))));
  size_t index = 0;
  while ((rest -= weights[index]) >= 0) ++index;
  return index;
}

template <typename Accept>
Look draw_look(RandomSequence& random, Accept accept) {
  for (;;) {
    const Look look = random.look();
    if (accept(look)) return look;
  }
}

std::vector<Look> draw_looks(size_t count, RandomSequence& random) {
  std::vector<Look> looks(count);
  for (Look& look : looks) look = random.look();
  return looks;
}

bool contains(const std::vector<Look>& looks, const Look& look) {
  return std::find(looks.begin(), looks.end(), look) != looks.end();
}

struct Asked {
  std::vector<Look> looks;
  std::string question;
  std::string answer;
};

Asked ask_count(uint64_t index, RandomSequence& random) {
  const size_t count = 1 + index % kMaxShapes;
  return {draw_looks(count, random), "how many shapes are there?", number_word(count)};
}

/// `target` first, then others that `accept` allows, so that the target stays unique.
template <typename Accept>
std::vector<Look> draw_around(const Look& target, RandomSequence& random, Accept accept) {
  std::vector<Look> looks{target};
  const size_t count = draw_weighted(kWeightsOfFew, random);
  while (looks.size() < count) looks.push_back(draw_look(random, accept));
  return looks;
}

Asked ask_color(uint64_t index, RandomSequence& random) {
  const uint64_t color = index % kShapeColors;
  const Look target{random.look().kind, static_cast<ShapeColor>(color)};
  const std::string kind = kShapeKindNames[static_cast<size_t>(target.kind)];
  return {draw_around(target, random, [&](const Look& l) { return l.kind != target.kind; }),
          "what color is the " + kind + "?", kShapeColorNames[color]};
}

Asked ask_kind(uint64_t index, RandomSequence& random) {
  const uint64_t kind = index % kShapeKinds;
  const Look target{static_cast<ShapeKind>(kind), random.look().color};
  const std::string color = kShapeColorNames[static_cast<size_t>(target.color)];
  return {draw_around(target, random, [&](const Look& l) { return l.color != target.color; }),
          "what shape is the " + color + " one?", kShapeKindNames[kind]};
}

Asked ask_presence(uint64_t index, RandomSequence& random) {
  const bool present = index % 2 == 0;
  std::vector<Look> looks = draw_looks(1 + random.below(kMaxShapes), random);
  const Look target = present
                          ? looks[random.below(looks.size())]
                          : draw_look(random, [&](const Look& l) { return !contains(looks, l); });
  return {std::move(looks), "is there " + phrase(target) + "?", kYesNo[index % 2]};
}

/// The question is about the first two shapes. Their places, the relation and the answer determine
/// which of them is named first.
ShapesExample ask_relation(uint64_t index, int size, RandomSequence& random) {
  std::vector<Look> looks;
  const size_t count = draw_weighted(kWeightsOfPairs, random);
  while (looks.size() < count) {
    looks.push_back(draw_look(random, [&](const Look& l) { return !contains(looks, l); }));
  }
  ShapesExample example{place_shapes(looks, size, random), "", kYesNo[index % 2]};
  const SceneShape& a = example.scene.shapes[0];
  const SceneShape& b = example.scene.shapes[1];
  const double reach = a.radius + b.radius;
  const bool apart_x = std::abs(a.x - b.x) >= reach;
  const bool apart_y = std::abs(a.y - b.y) >= reach;
  LYNCEUS_CHECK(apart_x || apart_y, "two shapes overlap");
  const bool horizontal = apart_x && (!apart_y || random.below(2) == 0);
  const bool toward_low = random.below(2) == 0;  // left of, above
  const bool a_is_low = horizontal ? a.x < b.x : a.y < b.y;
  const bool a_first = (a_is_low == toward_low) == (example.answer == kYesNo[0]);
  const char* relation =
      horizontal ? (toward_low ? "left of" : "right of") : (toward_low ? "above" : "below");
  example.question = fmt::format("is the {} {} the {}?", bare_name((a_first ? a : b).look),
                                 relation, bare_name((a_first ? b : a).look));
  return example;
}

std::string prompt_form(const std::string& question, const std::string& answer) {
  return "User: " + question + "\nBot: " + answer;
}

}  // namespace

const std::string_view kShapesCaptionQuestion = "describe the image.";

std::string_view shapes_class_name(ShapesClass shapes_class) {
  switch (shapes_class) {
    case ShapesClass::kCaption:
      return "caption";
    case ShapesClass::kText:
      return "text";
    case ShapesClass::kColor:
      return "Color";
    case ShapesClass::kCounting:
      return "Counting";
    case ShapesClass::kSpatial:
      return "Spatial";
    case ShapesClass::kOthers:
      return "Others";
  }
  throw InternalError("class {} of shapes", static_cast<int>(shapes_class));
}

ShapesWorld::ShapesWorld(uint64_t seed, std::string split, int size)
    : seed_(seed), split_(std::move(split)), size_(size) {}

ShapesExample ShapesWorld::example(ShapesClass shapes_class, uint64_t index) const {
  return example(shapes_class, index, shapes_class_name(shapes_class));
}

ShapesExample ShapesWorld::example(ShapesClass shapes_class, uint64_t index,
                                   std::string_view stream) const {
  const CounterRandom keys(seed_, fmt::format("shapes {} {}", split_, stream));
  RandomSequence random(keys.bits(index), "scene");
  const auto placed = [&](Asked asked) {
    return ShapesExample{place_shapes(asked.looks, size_, random), std::move(asked.question),
                         std::move(asked.answer)};
  };
  switch (shapes_class) {
    case ShapesClass::kCaption: {
      const auto looks = draw_looks(1 + random.below(kMaxShapes), random);
      ShapesExample example = placed({looks, std::string(kShapesCaptionQuestion), ""});
      example.answer = caption(example.scene);
      return example;
    }
    case ShapesClass::kColor:
      return placed(ask_color(index, random));
    case ShapesClass::kCounting:
      return placed(ask_count(index, random));
    case ShapesClass::kSpatial:
      return ask_relation(index, size_, random);
    case ShapesClass::kOthers:
      return placed(index % 2 == 0 ? ask_kind(index / 2, random) : ask_presence(index / 2, random));
    case ShapesClass::kText:
      break;
  }
  throw InternalError("the class text of the shapes corpus has no scene");
}

std::string ShapesWorld::text(uint64_t index) const {
  constexpr ShapesClass kTurns[] = {ShapesClass::kCaption, ShapesClass::kColor,
                                    ShapesClass::kCounting, ShapesClass::kSpatial,
                                    ShapesClass::kOthers};
  const ShapesClass shapes_class = kTurns[index % std::size(kTurns)];
  const ShapesExample described = example(shapes_class, index / std::size(kTurns),
                                          fmt::format("text {}", shapes_class_name(shapes_class)));
  std::string list = enumeration(described.scene, left_to_right(described.scene));
  if (shapes_class == ShapesClass::kSpatial) {
    list = "from the left: " + list +
           ". from the top: " + enumeration(described.scene, top_to_bottom(described.scene));
  }
  // With a space before it, "User" has the same token as at the start of a prompt.
  return list + ". " + prompt_form(described.question, described.answer);
}

io::Sample ShapesWorld::sample(ShapesClass shapes_class, uint64_t index) const {
  io::Sample sample;
  sample.key = fmt::format("{}-{}-{}-{}", split_, shapes_class_name(shapes_class), seed_, index);
  if (shapes_class == ShapesClass::kText) {
    sample.turns = {{io::TurnRole::kText, text(index)}};
    return sample;
  }
  ShapesExample asked = example(shapes_class, index);
  sample.media = {io::encode_jpeg(render(asked.scene), kJpegQuality)};
  sample.turns = {{io::TurnRole::kUser, std::move(asked.question)},
                  {io::TurnRole::kAssistant, std::move(asked.answer)}};
  return sample;
}

}  // namespace lynceus::prepare
