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
  const std::string unusable = R"({"image_id": 8, "id": 1, "caption": " "},
      {"image_id": 8, "id": 2, "caption": "dark"}, {"image_id": 8, "id": 3, "caption": "grey"})";
  for (const int64_t skip : {0, 1})
    EXPECT_THAT(keys(rows(source(unusable, true), skip)), ElementsAre("b.jpg#2"))
        << "the first that can be used";
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
  write("images/b.jpg", "../../blobs/0123");
  EXPECT_THAT(reject(rows(source(R"({"image_id": 8, "id": 1, "caption": "x"})"))),
              AllOf(StartsWith("missing picture: "), HasSubstr("is a link to '../../blobs/0123'")));
  write("images/b.jpg", "no picture");
  EXPECT_THAT(reject(rows(source(R"({"image_id": 8, "id": 1, "caption": "x"})"))),
              StartsWith("unknown picture format: "));
}

TEST_F(SourceCocoTest, Photographs) {
  const std::filesystem::path folder =
      std::filesystem::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";
  const auto all = rows(CocoSource({folder / "captions_coco.json", folder / "images"}));
  ASSERT_EQ(all.size(), 30u);
  for (const SourceRow& row : all) EXPECT_EQ(row.problem, "");
  EXPECT_EQ(all[29].done, 30);
}

TEST_F(SourceCocoTest, IdsAreNames) {
  const auto read = [&](const std::string& images, const std::string& annotations) {
    return rows(CocoSource({write("x.json", R"({"images": [)" + images + R"(], "annotations": [)" +
                                                annotations + "]}"),
                            directory_ / "images"}));
  };
  const auto all =
      read(R"({"id": 1.0, "file_name": "a.jpg"}, {"id": "2", "file_name": "b.jpg"})",
           R"({"image_id": 1, "id": 5.0, "caption": "x"}, {"image_id": "1", "caption": "y"},
         {"image_id": 2.0, "id": null, "caption": "z"})");
  EXPECT_THAT(keys(all), ElementsAre("a.jpg#5", "a.jpg#row 2", "b.jpg#row 3"));
  EXPECT_THAT(all[2].samples[0].media, ElementsAre(bytes("images/b.jpg")));
  // Larger than any integer of 64 bits and than any exact float.
  for (const std::string base : {"1844674407370955161", "900719925474099", "-922337203685477580"}) {
    const auto image = [&](const std::string& id, const std::string& file) {
      return R"({"id": )" + id + R"(, "file_name": ")" + file + "\"}";
    };
    const auto caption = [&](const std::string& id, const std::string& number) {
      return R"({"image_id": )" + id + R"(, "id": )" + number + R"(, "caption": "x"})";
    };
    const std::string first = base + "2";
    const std::string second = base + "3";
    const auto large =
        read(image(first, "a.jpg") + "," + image(second + ".0", "b.jpg"),
             caption(second, first) + "," + caption(first + ".0", second + ".0") + "," +
                 caption("\"" + second + "\"", "1") + "," + caption(base + "4.0", "2"));
    EXPECT_THAT(keys(large), ElementsAre("b.jpg#" + first, "a.jpg#" + second, "b.jpg#1"));
    EXPECT_EQ(large[3].reject, "unknown picture id");
  }
}

TEST_F(SourceCocoTest, ABadElementCostsItsAnnotations) {
  const auto all = rows(CocoSource(
      {write("x.json", R"({"info": NaN, "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 1},
         {"id": 2, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}, {"id": 3, "x": "\ud83d"}],
         "annotations": [{"image_id": 7, "id": 1, "caption": "\q"}, {"image_id": 1, "caption": "x"},
         {"image_id": 2, "caption": "x"}, {"image_id": 3, "caption": "x"},
         {"image_id": 7, "caption": "x", "video": "a.mp4"}, {"image_id": 7, "caption": "x"}]})"),
       directory_ / "images"}));
  std::vector<std::string> rejects;
  for (const SourceRow& row : all) rejects.push_back(row.reject);
  EXPECT_THAT(rejects, ElementsAre("malformed row", "unusable entry of a picture",
                                   "unusable entry of a picture", "unknown picture id",
                                   "unread key video", ""));
  EXPECT_THAT(all[1].problem, HasSubstr("'file_name' is missing"));
  EXPECT_THAT(all[2].problem, HasSubstr("the id 2 belongs to two images"));
  EXPECT_THAT(all[3].problem, HasSubstr("not valid JSON"));
}

TEST_F(SourceCocoTest, OtherFilesAreRefused) {
  const auto refused = [&](const std::string& text) {
    return input_error([&] { CocoSource({write("x.json", text), directory_}); });
  };
  EXPECT_THAT(refused("{}"), HasSubstr("expected COCO captions"));
  EXPECT_THAT(refused("[]"), HasSubstr("an object with the arrays images, annotations"));
  EXPECT_THAT(
      refused(R"({"images": [{"sentences": []}], "dataset": "coco"})"),
      AllOf(HasSubstr("found an object with the keys images, dataset"), HasSubstr("Karpathy")));
  EXPECT_THAT(refused(R"({"images": [], "annotations": [{"id": 1, "bbox": [1, 2]}]})"),
              HasSubstr("expected annotations with a caption (captions_*.json), found"));
  EXPECT_EQ(refused(" \n"), "no InputError") << "an empty file has no rows";
  EXPECT_EQ(refused(R"({"images": [], "annotations": []})"), "no InputError");
}

}  // namespace
}  // namespace lynceus::prepare
