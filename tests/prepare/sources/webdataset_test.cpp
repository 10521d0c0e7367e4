// Samples in tar archives: which entries become one; hostile entries end in a rejected row.
#include "prepare/sources/webdataset.h"

#include "tests/prepare/sources/webdataset_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

TEST_F(SourceWebdatasetTest, PlainAndGzip) {
  for (const char* name : {"x.tar", "x.tar.gz"}) {
    TarWriter(directory_ / name)
        .folder("000")
        .file("000/1.jpg", a())
        .file("000/1.txt", "bright\n")
        .file("000/1.json", R"({"caption": "unused", "key": 1})")
        .file("000/2.json", R"({"captions": ["dark", "grey"], "w": 6})")
        .file("000/2.PNG", b())
        .file("000/2.seg.png", "mask")
        .file("3.d/x.jpeg", b())
        .file("3.d/x.json", R"({"question": "what?", "answer": ["grey", "dark"]})");
    const auto all = rows(WebdatasetSource({.file = directory_ / name}));
    EXPECT_THAT(keys(all), ElementsAre("000/1", "000/2#1", "000/2#2", "3.d/x")) << name;
    EXPECT_THAT(all[0].samples[0].turns, ElementsAre(io::Turn{io::TurnRole::kAssistant, "bright"}));
    EXPECT_THAT(all[0].samples[0].media, ElementsAre(a()));
    EXPECT_THAT(all[1].samples[1].turns, ElementsAre(io::Turn{io::TurnRole::kAssistant, "grey"}));
    EXPECT_THAT(all[1].samples[1].media, ElementsAre(b()));
    EXPECT_THAT(all[2].samples[0].turns, ElementsAre(io::Turn{io::TurnRole::kUser, "what?"},
                                                     io::Turn{io::TurnRole::kAssistant, "grey"}));
    EXPECT_THAT(keys(rows(WebdatasetSource({.file = directory_ / name}), 1)),
                ElementsAre("000/2#1", "000/2#2", "3.d/x"));
    EXPECT_THAT(
        keys(rows(WebdatasetSource({.file = directory_ / name, .first_caption_only = true}))),
        ElementsAre("000/1", "000/2", "3.d/x"));
  }
}

TEST_F(SourceWebdatasetTest, LinksAndDevicesArePassedOver) {
  write("secret.txt", "secret");
  TarWriter(tar())
      .symlink("1.txt", (directory_ / "secret.txt").string())
      .device("1.json")
      .file("1.jpg", a())
      .file("2.txt", "dark")
      .file("2.jpg", b())
      .hardlink("3.jpg", "2.jpg")
      .file("3.txt", "a picture that is a link");
  const auto all = read();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].reject, "no text");
  EXPECT_EQ(all[1].samples.size(), 1u);
  EXPECT_EQ(all[2].reject, "no picture");
}

TEST_F(SourceWebdatasetTest, EveryEntryIsAccountedFor) {
  TarWriter(tar())
      .folder("d")
      .file("d/1.jpg", a())
      .file("d/._1.jpg", "x")
      .file("d/1.txt", "\xef\xbb\xbfone\r\n")
      .file("d/1.json", "{}")
      .file("d/1.cls", "3")
      .file("d/1.left.png", "x")
      .file("d/.DS_Store", "x")
      .file("README", "x")
      .symlink("d/other.cls", "x")
      .device("d/tape")
      .file("photo.v2.jpg", a())
      .file("photo.v2.txt", "lost without a word")
      .file("2.jpg", a())
      .file("3.txt", "x")
      .file("2.txt", "apart from its picture")
      .file("4.jpg", a())
      .hardlink("4.txt", "3.txt");
  WebdatasetSource source({.file = tar()});
  std::vector<std::string> rejects;
  int64_t entries = 0;
  source.read(0, [&](const SourceRow& row) {
    entries += row.entries;
    rejects.push_back(row.reject + ": " + row.problem);
    for (const io::Sample& sample : row.samples) EXPECT_EQ(sample.turns.at(0).text, "one");
  });
  EXPECT_THAT(
      rejects,
      ElementsAre(
          ": ", AllOf(StartsWith("name with dots: "), HasSubstr("found photo.v2.jpg: a key ends")),
          StartsWith("no text: "), StartsWith("no picture: "),
          AllOf(StartsWith("key in several places: "), HasSubstr("tar --sort=name")),
          AllOf(StartsWith("no text: "), HasSubstr("the link 4.txt is not read"))));
  const SourceAccount account = source.account();
  EXPECT_THAT(
      account.passed_over,
      UnorderedElementsAre(Pair("AppleDouble file", 1), Pair("device", 1), Pair("folder", 1),
                           Pair("hidden file", 1), Pair("link", 1), Pair("other type", 3)));
  EXPECT_THAT(account.notes, testing::IsEmpty());
  for (const auto& [kind, count] : account.passed_over) entries += count;
  EXPECT_EQ(entries, account.entries);
  EXPECT_EQ(account.entries, 18);
  source.read(3, [](const SourceRow&) {});
  EXPECT_EQ(source.account().entries, 18);
  EXPECT_EQ(source.account().passed_over, account.passed_over);
}

TEST_F(SourceWebdatasetTest, NamesThatLeadOutAreRefused) {
  TarWriter(tar())
      .file("../1.jpg", a())
      .file("../1.txt", "x")
      .file("/2.jpg", a())
      .file("/2.txt", "x")
      .file("d/../../3.jpg", a())
      .file("d/../../3.txt", "x")
      .file("4.jpg", a())
      .file("4.txt", "x");
  const auto all = read();
  ASSERT_EQ(all.size(), 4u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all[i].reject, "path outside the root") << all[i].problem;
    EXPECT_TRUE(all[i].samples.empty());
  }
  EXPECT_EQ(all[3].samples.size(), 1u);
}

TEST_F(SourceWebdatasetTest, RejectsSayWhy) {
  const auto why = [&](const std::string& extra, const std::string& bytes_of_extra,
                       const std::string& picture) {
    TarWriter(tar()).file("1.jpg", picture).file(extra, bytes_of_extra);
    return reject(read());
  };
  EXPECT_THAT(why("1.txt", "x", "no picture"), AllOf(StartsWith("unknown picture format: "),
                                                     HasSubstr("x.tar: 1"), HasSubstr("WebP")));
  EXPECT_THAT(why("1.txt", "x", "<html>404"), StartsWith("HTML page: "));
  EXPECT_THAT(why("1.txt", "x", ""), StartsWith("empty file: "));
  for (const char* svg : {"<svg xmlns=\"x\">", "<?xml version=\"1.0\"?>\n<svg>"})
    EXPECT_THAT(why("1.txt", "x", svg), StartsWith("picture format that is not read: SVG: "));
  EXPECT_THAT(why("1.txt", "x", "version https://git-lfs.github.com/spec/v1\n"),
              StartsWith("Git LFS pointer: "));
  EXPECT_THAT(why("1.txt", "x",
                  std::string("\0\0\0\x1C"
                              "ftypavif",
                              12)),
              StartsWith("picture format that is not read: AVIF: "));
  EXPECT_THAT(why("1.txt", "x", a().substr(0, a().size() - 20)), StartsWith("damaged picture: "));
  EXPECT_THAT(why("1.txt", " \n", a()), StartsWith("empty text: "));
  EXPECT_THAT(why("1.txt", "\xff\xfe", a()),
              AllOf(StartsWith("malformed row: "), HasSubstr("1.txt: expected text in UTF-8, "
                                                             "found UTF-16")));
  EXPECT_THAT(why("1.txt", "caf\xe9", a()), HasSubstr("another encoding, such as Latin-1"));
  EXPECT_THAT(why("1.json", "{", a()), AllOf(StartsWith("malformed row: "), HasSubstr("1.json")));
  EXPECT_THAT(why("1.json", "{}", a()), HasSubstr("'question' is missing"));
  EXPECT_THAT(why("1.json", std::string(70, '[') + std::string(70, ']'), a()),
              HasSubstr("nested deeper"));
  EXPECT_THAT(why("1.png", b(), a()), StartsWith("two entries of a kind: "));
  EXPECT_THAT(why("1.cls", "3", a()),
              AllOf(StartsWith("no text: "), HasSubstr("write the archive with tar --sort=name")));
  EXPECT_THAT(why("1.txt", std::string((16 << 20) + 1, 'x'), a()), StartsWith("text too large: "));
  EXPECT_THAT(why("1.txt", "x", std::string((64 << 20) + 1, 'x')),
              StartsWith("picture too large: "));
}

TEST_F(SourceWebdatasetTest, AJsonIsReadAsAWholeOrRejectsTheRow) {
  const auto read_json = [&](const std::string& json, const std::string& text = "") {
    {
      TarWriter writer(tar());
      writer.file("1.jpg", a()).file("1.json", json);
      if (!text.empty()) writer.file("1.txt", text);
    }
    const auto all = read();
    EXPECT_EQ(all.size(), 1u);
    if (!all.at(0).reject.empty()) return all[0].reject;
    std::string said;
    for (const io::Sample& sample : all[0].samples)
      for (const io::Turn& turn : sample.turns) said += "|" + turn.text;
    return said;
  };
  EXPECT_EQ(read_json(R"({"captions": null, "caption": "cap", "width": 6, "exif": "{}"})"), "|cap");
  EXPECT_EQ(read_json(R"({"captions": ["one", "two"], "caption": ""})"), "|one|two");
  EXPECT_EQ(read_json(R"({"caption": "cap", "TEXT": "cap "})"), "|cap") << "the same text";
  EXPECT_EQ(read_json(R"({"caption": "", "question": "what?", "answer": "grey"})"), "|what?|grey");
  EXPECT_EQ(read_json(R"({"question": "<image>\nwhat?", "answer": "grey"})"), "|what?|grey");
  EXPECT_EQ(read_json(R"({"caption": " "})"), "empty text");
  EXPECT_EQ(read_json(R"({"caption": "<image>\nA cat"})"), "placeholder in a text that is learned");
  EXPECT_EQ(read_json(R"({"caption": "c", "question": "q", "answer": "a"})"), "unread key answer");
  EXPECT_EQ(read_json(R"({"caption": "c", "conversations": [{"from": "human", "value": "x"}]})"),
            "unread key conversations");
  EXPECT_EQ(read_json(R"({"caption": "c", "captions": ["d"]})"), "unread key caption");

  EXPECT_EQ(read_json(R"({"caption": "other", "key": 1})", "bright"), "|bright");
  EXPECT_EQ(read_json(R"({"similarity": NaN})", "bright"), "|bright") << "metadata of LAION";
  EXPECT_EQ(read_json("[1]", "bright"), "|bright");
  EXPECT_EQ(read_json(R"({"text": "bright", "question": null})", "bright"), "|bright");
  EXPECT_EQ(read_json(R"({"conversations": [{"value": "x"}]})", "bright"),
            "unread key conversations");
  EXPECT_EQ(read_json("{}", "see <image>"), "placeholder in a text that is learned");
  EXPECT_EQ(read_json(R"({"captions": [], "caption": "cap"})"), "|cap");
  EXPECT_EQ(read_json(R"({"caption": null, "question": "what?", "answer": "grey"})"),
            "|what?|grey");
  EXPECT_EQ(read_json(R"({"question": "what?", "answer": ["", "grey", "dark"]})"), "|what?|grey");
  for (const char* blank : {"\n", "\xef\xbb\xbf ", " "}) {
    EXPECT_EQ(read_json(R"({"caption": "cap"})", blank), "|cap") << "an empty .txt hides nothing";
    EXPECT_EQ(read_json(R"({"caption": ""})", blank), "empty text");
  }
  EXPECT_EQ(read_json(R"({"caption": "c", "video_path": "x.mp4"})"), "unread key video_path");
  EXPECT_EQ(read_json(R"({"caption": "c", "sound": "x.wav"})"), "unread key sound");
  EXPECT_EQ(read_json(R"({"caption": "c", "url": "http://h.org/1.jpg", "filename": "z.png",
                          "image_path": "d/z.png", "key": "1"})"),
            "|c");
}

TEST_F(SourceWebdatasetTest, HeaderCheckSeesTypeAndSizeOnly) {
  io::Image image{64, 64, std::vector<uint8_t>(64 * 64 * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * i % 251);
  std::string cut = io::encode_jpeg(image, 90);
  cut.resize(cut.size() / 2 + 400);
  TarWriter(tar()).file("1.jpg", cut).file("1.txt", "x").file("2.jpg", "x").file("2.txt", "x");
  const auto all = rows(WebdatasetSource({.file = tar(), .check = ImageCheck::kHeader}));
  ASSERT_EQ(all.size(), 2u);
  ASSERT_EQ(all[0].problem, "");
  EXPECT_THAT(all[0].samples.at(0).media, ElementsAre(cut));
  EXPECT_EQ(all[1].reject, "unknown picture format");
  EXPECT_EQ(read().at(0).reject, "damaged picture") << "decoded";
}

}  // namespace
}  // namespace lynceus::prepare
