// The generated world: pictures of one to four colored shapes with captions and with questions
// whose answers are computed. The classes bear the names of Open-VQA's. Everything is a pure
// function of (seed, split, class, index); splits have random streams of their own, so train and
// validation share no picture. Used by `lynceus prepare shapes`.
//
//   Counting  "how many shapes are there?"                         one | two | three | four
//   Color     "what color is the circle?", a kind there once        six colors
//   Spatial   "is the red circle left of the blue square?", both there once; left of, right of,
//             above, below; only where the two are clear of each other on that axis   yes | no
//   Others    index even: "what shape is the red one?", a color there once   circle | square |
//             triangle; index odd: "is there a green triangle?"     yes | no
//
// Answers come in turn (index mod their number), so each is exactly as frequent as the others of
// its question. Numbers of shapes: Counting and "is there" one to four alike; Color and "what
// shape" one to four with weights 4:3:2:1; Spatial two to four with weights 3:2:1; captions alike.
//
// Text: the same sentences without pictures, of scenes nobody sees: shapes one by one, then a
// question about them with its true answer, or their caption. A language model that has learned
// these knows the words and to look for an answer in what stands before the question.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/dataset/sample.h"
#include "prepare/sources/shapes_scene.h"

namespace lynceus::prepare {

enum class ShapesClass : uint8_t { kCaption, kText, kColor, kCounting, kSpatial, kOthers };
constexpr ShapesClass kAllShapesClasses[] = {ShapesClass::kCaption, ShapesClass::kText,
                                             ShapesClass::kColor,   ShapesClass::kCounting,
                                             ShapesClass::kSpatial, ShapesClass::kOthers};

/// Also the shard's task: "caption", "text", "Color", "Counting", "Spatial", "Others".
std::string_view shapes_class_name(ShapesClass shapes_class);
/// The question before a caption: "describe the image."
extern const std::string_view kShapesCaptionQuestion;

struct ShapesExample {
  Scene scene;
  std::string question;
  std::string answer;
};

class ShapesWorld {
 public:
  /// `size`: side of the pictures in pixels, at least kMinSceneSize.
  ShapesWorld(uint64_t seed, std::string split, int size);

  /// A question of that class (of kCaption: the caption as its answer). Not for kText.
  ShapesExample example(ShapesClass shapes_class, uint64_t index) const;
  /// The example as it goes into a shard: one JPEG, a user's and an assistant's turn; for kText one
  /// text turn that ends in the default prompt form, "... User: ...\nBot: ...".
  io::Sample sample(ShapesClass shapes_class, uint64_t index) const;

 private:
  /// `stream` names the random numbers.
  ShapesExample example(ShapesClass shapes_class, uint64_t index, std::string_view stream) const;
  std::string text(uint64_t index) const;

  uint64_t seed_;
  std::string split_;
  int size_;
};

}  // namespace lynceus::prepare
