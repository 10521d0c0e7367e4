// COCO captions: the order of annotations, images by id, and files that are not COCO.
#include "prepare/sources/coco.h"

#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class SourceCocoTest : public SourceTest {
 protected:
  CocoSource source(const std::string& annotations, bool first_only = false) const {
    return CocoSource({write("x.json", R"({"annotations": [)" + annotations +
                                           R"(], "images": [{"id": 7, "file_name": "a.jpg"},
                      {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "../x.json"},
                      {"id": 10, "file_name": "absent.jpg"}]})"),
                       directory_ / "images", first_only, ImageCheck::kDecode});
  }
  const std::string three_ = R"({"image_id": 8, "id": 1, "caption": "dark "},
      {"image_id": 7, "id": 2, "caption": "bright"}, {"image_id": 8, "id": 3, "caption": "grey"})";
};

TEST_F(SourceCocoTest, OneSampleAnAnnotation) {
  const auto all = rows(source(three_));
  EXPECT_EQ(source(three_).extent().rows, 3);
  EXPECT_THAT(keys(all), ElementsAre("b.jpg#1", "a.jpg#2", "b.jpg#3"));
  EXPECT_THAT(all[0].samples[0].turns, ElementsAre(io::Turn{io::TurnRole::kAssistant, "dark"}));
  EXPECT_THAT(all[0].samples[0].media, ElementsAre(bytes("images/b.jpg")));
  EXPECT_THAT(all[2].samples[0].media, ElementsAre(bytes("images/b.jpg")));
  EXPECT_EQ(all[1].done, 2);
  EXPECT_THAT(keys(rows(source(three_), 1)), ElementsAre("a.jpg#2", "b.jpg#3"));
}

TEST_F(SourceCocoTest, OnlyTheFirstCaption) {
  const auto all = rows(source(three_, true));
  EXPECT_THAT(keys(all), ElementsAre("b.jpg#1", "a.jpg#2"));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[2].reject, "");
  EXPECT_THAT(keys(rows(source(three_, true), 2)), ElementsAre())
      << "the first caption of the image was skipped";
}

TEST_F(SourceCocoTest, RejectsSayWhy) {
  EXPECT_THAT(reject(rows(source(R"({"image_id": 6, "id": 1, "caption": "x"})"))),
              StartsWith("unknown picture id: "));
  EXPECT_THAT(
      reject(rows(source(R"({"image_id": 10, "id": 1, "caption": "x"})"))),
      AllOf(StartsWith("missing picture: "), HasSubstr("annotations[0]"), HasSubstr("absent.jpg")));
  EXPECT_THAT(reject(rows(source(R"({"image_id": 9, "id": 1, "caption": "x"})"))),
              StartsWith("path outside the root: "));
  EXPECT_THAT(reject(rows(source(R"({"image_id": 7, "id": 1, "caption": " "})"))),
              StartsWith("empty text: "));
  EXPECT_THAT(reject(rows(source(R"({"image_id": 7, "id": 1})"))),
              AllOf(StartsWith("malformed row: "), HasSubstr("'caption' is missing")));
  write("images/b.jpg", "no picture");
  EXPECT_THAT(reject(rows(source(R"({"image_id": 8, "id": 1, "caption": "x"})"))),
              StartsWith("damaged picture: "));
}

TEST_F(SourceCocoTest, Photographs) {
  const std::filesystem::path folder =
      std::filesystem::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";
  const auto all = rows(CocoSource({folder / "captions_coco.json", folder / "images"}));
  ASSERT_EQ(all.size(), 30u);
  for (const SourceRow& row : all) EXPECT_EQ(row.problem, "");
  EXPECT_EQ(all[29].done, 30);
}

TEST_F(SourceCocoTest, OtherFilesAreRefused) {
  const auto refused = [&](const std::string& text) {
    return input_error([&] { CocoSource({write("x.json", text), directory_}); });
  };
  EXPECT_THAT(refused("{}"), HasSubstr("expected COCO captions"));
  EXPECT_THAT(refused("[]"), HasSubstr("an object with the arrays images, annotations"));
  EXPECT_THAT(refused(R"({"images": [{"id": 1}], "annotations": []})"), HasSubstr("file_name"));
  EXPECT_THAT(refused(R"({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}],
                          "annotations": [1]})"),
              HasSubstr("the id 1 belongs to two images"));
}

}  // namespace
}  // namespace lynceus::prepare
