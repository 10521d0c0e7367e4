// A generated corpus: images of one to four colored shapes, with captions and with questions whose
// answers are computed. Class names are those of Open-VQA. Everything is a pure function of (seed,
// split, class, index). Each split has its own random stream, so train and validation share no
// image.
//
//   Counting  "how many shapes are there?"                         one | two | three | four
//   Color     "what color is the circle?", of a kind that occurs once        six colors
//   Spatial   "is the red circle left of the blue square?", both occur once; left of, right of,
//             above, below; only if the two do not overlap on that axis       yes | no
//   Others    index even: "what shape is the red one?", of a color that occurs once   circle |
//             square | triangle; index odd: "is there a green triangle?"      yes | no
//
// The answer is chosen by index mod the number of answers, so all answers of a question are equally
// frequent. Number of shapes: captions, Counting and "is there" one to four, equally often; Color
// and "what shape" one to four with weights 4:3:2:1; Spatial two to four with weights 3:2:1.
//
// Text: the same sentences without images, of scenes that are not drawn: a list of the shapes, then
// a question with its answer, or a caption. It teaches a language model the words, and to find the
// answer in the text before the question.
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

/// Also the task of the shard: "caption", "text", "Color", "Counting", "Spatial", "Others".
std::string_view shapes_class_name(ShapesClass shapes_class);
/// The question of captions: "describe the image."
extern const std::string_view kShapesCaptionQuestion;

struct ShapesExample {
  Scene scene;
  std::string question;
  std::string answer;
};

class ShapesWorld {
 public:
  /// `size`: side of the images in pixels, at least kMinSceneSize.
  ShapesWorld(uint64_t seed, std::string split, int size);

  /// A question of this class; for kCaption the answer is the caption. Not for kText.
  ShapesExample example(ShapesClass shapes_class, uint64_t index) const;
  /// The example as stored in a shard: one JPEG, a user turn and an assistant turn. For kText one
  /// text turn that ends in the default prompt template, "... User: ...\nBot: ...".
  io::Sample sample(ShapesClass shapes_class, uint64_t index) const;

 private:
  /// `stream`: name of the random stream.
  ShapesExample example(ShapesClass shapes_class, uint64_t index, std::string_view stream) const;
  std::string text(uint64_t index) const;

  uint64_t seed_;
  std::string split_;
  int size_;
};

}  // namespace lynceus::prepare
