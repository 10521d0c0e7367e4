// The shapes corpus: answers against an independent evaluation of question and scene, balance,
// determinism, splits, and that the image shows the scene.
#include "prepare/sources/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "io/files/digest.h"

namespace lynceus::prepare {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

constexpr int kSize = 84;

std::string color_of(const SceneShape& shape) {
  return kShapeColorNames.at(static_cast<size_t>(shape.look.color));
}

std::string kind_of(const SceneShape& shape) {
  return kShapeKindNames.at(static_cast<size_t>(shape.look.kind));
}

std::vector<std::string> words_of(std::string text) {
  for (char& c : text)
    if (c == '?' || c == ',') c = ' ';
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

/// All shapes of this color and kind; "" matches any.
std::vector<SceneShape> matching(const Scene& scene, const std::string& color,
                                 const std::string& kind) {
  std::vector<SceneShape> found;
  for (const SceneShape& shape : scene.shapes)
    if ((color.empty() || color == color_of(shape)) && (kind.empty() || kind == kind_of(shape)))
      found.push_back(shape);
  return found;
}

/// The answer from the text of the question and the scene; begins with "ambiguous" if there is no
/// unique answer.
std::string answer_by_reading(const Scene& scene, const std::string& question) {
  const auto w = words_of(question);
  if (question.starts_with("how many"))
    return std::vector<std::string>{"none", "one", "two", "three", "four"}.at(scene.shapes.size());
  if (question.starts_with("what color is the")) {
    const auto found = matching(scene, "", w.at(4));
    return found.size() == 1 ? color_of(found[0]) : "ambiguous: " + question;
  }
  if (question.starts_with("what shape is the")) {
    const auto found = matching(scene, w.at(4), "");
    return found.size() == 1 ? kind_of(found[0]) : "ambiguous: " + question;
  }
  if (question.starts_with("is there"))
    return matching(scene, w.at(3), w.at(4)).empty() ? "no" : "yes";
  // is the COLOR KIND (left of | right of | above | below) the COLOR KIND
  const size_t last = w.size();
  const auto a = matching(scene, w.at(2), w.at(3));
  const auto b = matching(scene, w.at(last - 2), w.at(last - 1));
  if (a.size() != 1 || b.size() != 1) return "ambiguous: " + question;
  const double dx = b[0].x - a[0].x;
  const double dy = b[0].y - a[0].y;
  const std::string relation = w.at(4);
  const double along = relation == "left"    ? dx
                       : relation == "right" ? -dx
                       : relation == "above" ? dy
                                             : -dy;
  if (std::abs(along) < a[0].radius + b[0].radius) return "ambiguous, too close: " + question;
  return along > 0 ? "yes" : "no";
}

std::map<std::string, int> answer_counts(const ShapesWorld& world, ShapesClass shapes_class,
                                         int count) {
  std::map<std::string, int> counts;
  for (int i = 0; i < count; ++i) ++counts[world.example(shapes_class, i).answer];
  return counts;
}

TEST(SourceShapes, AnswersAreRight) {
  for (const char* split : {"train", "validation"}) {
    const ShapesWorld world(7, split, kSize);
    for (const auto shapes_class : {ShapesClass::kColor, ShapesClass::kCounting,
                                    ShapesClass::kSpatial, ShapesClass::kOthers}) {
      for (int i = 0; i < 1200; ++i) {
        const ShapesExample example = world.example(shapes_class, i);
        ASSERT_EQ(example.answer, answer_by_reading(example.scene, example.question))
            << example.question << " " << caption(example.scene);
      }
    }
  }
}

TEST(SourceShapes, CaptionsNameEveryShapeOnce) {
  const ShapesWorld world(7, "train", kSize);
  const std::map<std::string, int> numbers = {
      {"a", 1}, {"an", 1}, {"two", 2}, {"three", 3}, {"four", 4}};
  for (int i = 0; i < 1000; ++i) {
    const ShapesExample example = world.example(ShapesClass::kCaption, i);
    std::map<std::string, int> named;
    const auto words = words_of(example.answer);
    for (size_t w = 0; w + 2 < words.size(); w += 3) {
      if (words[w] == "and") ++w;
      const int number = numbers.at(words.at(w));
      std::string kind = words.at(w + 2);
      if (number > 1) {
        ASSERT_TRUE(kind.ends_with('s')) << example.answer;
        kind.pop_back();
      }
      named[words.at(w + 1) + " " + kind] += number;
    }
    std::map<std::string, int> there;
    for (const SceneShape& shape : example.scene.shapes)
      ++there[color_of(shape) + " " + kind_of(shape)];
    ASSERT_EQ(named, there) << example.answer;
  }
}

TEST(SourceShapes, CaptionGrammar) {
  const auto described = [](std::vector<Look> looks) {
    Scene scene{kSize, 0, {}};
    for (const Look& look : looks) scene.shapes.push_back({look, 0, 0, 1});
    return caption(scene);
  };
  const Look red_circle{ShapeKind::kCircle, ShapeColor::kRed};
  const Look blue_square{ShapeKind::kSquare, ShapeColor::kBlue};
  const Look orange_triangle{ShapeKind::kTriangle, ShapeColor::kOrange};
  EXPECT_EQ(described({orange_triangle}), "an orange triangle");
  EXPECT_EQ(described({blue_square, red_circle, red_circle}), "two red circles and a blue square");
  EXPECT_EQ(described({orange_triangle, blue_square, red_circle}),
            "a red circle, a blue square and an orange triangle");
  EXPECT_EQ(described({blue_square, blue_square, blue_square, blue_square}), "four blue squares");
}

TEST(SourceShapes, AnswersAreBalanced) {
  const ShapesWorld world(3, "train", kSize);
  EXPECT_THAT(
      answer_counts(world, ShapesClass::kCounting, 400),
      ElementsAre(Pair("four", 100), Pair("one", 100), Pair("three", 100), Pair("two", 100)));
  EXPECT_THAT(answer_counts(world, ShapesClass::kColor, 600),
              testing::AllOf(SizeIs(6), Each(Pair(testing::_, 100))));
  EXPECT_THAT(answer_counts(world, ShapesClass::kSpatial, 400),
              ElementsAre(Pair("no", 200), Pair("yes", 200)));
  EXPECT_THAT(answer_counts(world, ShapesClass::kOthers, 1200),
              ElementsAre(Pair("circle", 200), Pair("no", 300), Pair("square", 200),
                          Pair("triangle", 200), Pair("yes", 300)));
}

/// No word of a question may make one answer more likely.
TEST(SourceShapes, QuestionsDoNotRevealTheAnswer) {
  const ShapesWorld world(3, "train", kSize);
  constexpr int kCount = 12000;
  for (const auto shapes_class : {ShapesClass::kSpatial, ShapesClass::kOthers}) {
    std::map<std::string, std::pair<int, int>> yes_of_asked;
    for (int i = 0; i < kCount; ++i) {
      const ShapesExample example = world.example(shapes_class, i);
      if (example.answer != "yes" && example.answer != "no") continue;
      std::set<std::string> words;
      for (const std::string& word : words_of(example.question)) words.insert(word);
      for (const std::string& word : words) {
        yes_of_asked[word].first += example.answer == "yes";
        ++yes_of_asked[word].second;
      }
    }
    EXPECT_GE(yes_of_asked.size(), 12u);
    for (const auto& [word, counts] : yes_of_asked) {
      const auto [yes, asked] = counts;
      EXPECT_NEAR(yes, 0.5 * asked, 4.5 * 0.5 * std::sqrt(asked)) << word << " of " << asked;
    }
  }
}

TEST(SourceShapes, NumbersOfShapesHaveTheStatedShares) {
  const ShapesWorld world(5, "train", kSize);
  const auto shares = [&](ShapesClass shapes_class) {
    std::vector<double> share(5);
    for (int i = 0; i < 4000; ++i)
      share[world.example(shapes_class, i).scene.shapes.size()] += 1.0 / 4000;
    return share;
  };
  const auto near = [](std::vector<double> expected) {
    return testing::Pointwise(testing::DoubleNear(0.035), expected);
  };
  EXPECT_THAT(shares(ShapesClass::kCaption), near({0, .25, .25, .25, .25}));
  EXPECT_THAT(shares(ShapesClass::kColor), near({0, .4, .3, .2, .1}));
  EXPECT_THAT(shares(ShapesClass::kSpatial), near({0, 0, 3 / 6., 2 / 6., 1 / 6.}));
}

TEST(SourceShapes, SameSeedSameBytesOtherSeedOrSplitOthers) {
  const ShapesWorld world(11, "train", kSize);
  const ShapesWorld again(11, "train", kSize);
  const ShapesWorld validation(11, "validation", kSize);
  const ShapesWorld other_seed(12, "train", kSize);
  std::set<uint64_t> seen;
  size_t pictures = 0;
  for (const ShapesClass shapes_class : kAllShapesClasses) {
    for (int i = 0; i < 60; ++i) {
      const io::Sample sample = world.sample(shapes_class, i);
      const io::Sample repeated = again.sample(shapes_class, i);
      ASSERT_EQ(sample.media, repeated.media);
      ASSERT_EQ(sample.turns, repeated.turns);
      ASSERT_EQ(sample.key, repeated.key);
      for (const ShapesWorld* each : {&world, &validation, &other_seed}) {
        for (const std::string& jpeg : each->sample(shapes_class, i).media) {
          seen.insert(io::digest64(jpeg.data(), jpeg.size()));
          ++pictures;
        }
      }
    }
  }
  EXPECT_EQ(pictures, 60u * 5 * 3);
  EXPECT_EQ(seen.size(), pictures);
}

TEST(SourceShapes, TheImageShowsTheScene) {
  const ShapesWorld world(2, "train", kSize);
  const std::map<std::string, std::array<int, 3>> palette = {
      {"red", {222, 32, 38}},     {"green", {32, 162, 62}},   {"blue", {36, 82, 222}},
      {"yellow", {238, 212, 28}}, {"purple", {142, 44, 172}}, {"orange", {246, 132, 22}}};
  for (int i = 0; i < 100; ++i) {
    const Scene scene = world.example(ShapesClass::kCounting, i).scene;
    const io::Sample sample = world.sample(ShapesClass::kCounting, i);
    ASSERT_EQ(sample.media.size(), 1u);
    const io::Image image = io::decode_image(sample.media[0], "sample");
    ASSERT_EQ(image.width, kSize);
    ASSERT_EQ(image.height, kSize);
    double light = 0;
    for (const uint8_t value : image.rgb) light += value;
    EXPECT_GT(light / static_cast<double>(image.rgb.size()), 140);
    for (const SceneShape& shape : scene.shapes) {
      EXPECT_GE(shape.x - shape.radius, 0);
      EXPECT_LE(shape.y + shape.radius, kSize);
      const size_t pixel =
          3 * (static_cast<size_t>(shape.y) * kSize + static_cast<size_t>(shape.x));
      for (size_t channel = 0; channel < 3; ++channel)
        EXPECT_NEAR(image.rgb[pixel + channel], palette.at(color_of(shape))[channel], 25)
            << color_of(shape);
    }
    for (size_t a = 0; a < scene.shapes.size(); ++a)
      for (size_t b = a + 1; b < scene.shapes.size(); ++b) {
        const SceneShape& p = scene.shapes[a];
        const SceneShape& q = scene.shapes[b];
        EXPECT_GT(std::max(std::abs(p.x - q.x), std::abs(p.y - q.y)), p.radius + q.radius);
      }
  }
}

TEST(SourceShapes, TextsAskAboutWhatTheySay) {
  const ShapesWorld world(4, "train", kSize);
  for (int i = 0; i < 500; ++i) {
    const io::Sample sample = world.sample(ShapesClass::kText, i);
    ASSERT_TRUE(sample.media.empty());
    ASSERT_EQ(sample.turns.size(), 1u);
    EXPECT_EQ(sample.turns[0].role, io::TurnRole::kText);
    const std::string& text = sample.turns[0].text;
    const size_t user = text.find(". User: ");
    const size_t bot = text.find("\nBot: ");
    ASSERT_TRUE(user != std::string::npos && bot != std::string::npos && user < bot) << text;
    const std::string seen = text.substr(0, user);
    const std::string question = text.substr(user + 8, bot - user - 8);
    const std::string answer = text.substr(bot + 6);
    if (question == "how many shapes are there?") {
      const auto commas = static_cast<size_t>(std::count(seen.begin(), seen.end(), ','));
      EXPECT_EQ(answer, number_word(commas + 1)) << text;
    }
    if (question.starts_with("is there a")) {
      const std::string asked = question.substr(9, question.size() - 10) + ",";
      EXPECT_EQ(answer == "yes", (seen + ",").find(asked) != std::string::npos) << text;
    }
  }
}

TEST(SourceShapes, OtherSizes) {
  for (const int size : {kMinSceneSize, 224}) {
    const ShapesWorld world(1, "train", size);
    for (int i = 0; i < 40; ++i) {
      const io::Image image =
          io::decode_image(world.sample(ShapesClass::kCounting, i).media[0], "sample");
      EXPECT_EQ(image.width, size);
    }
  }
}

}  // namespace
}  // namespace lynceus::prepare
