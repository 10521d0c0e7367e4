// Rows of every kind, and every way in which a row can be unusable.
#include "prepare/sources/jsonl.h"

#include "tests/prepare/sources/source_fixture.h"

namespace lynceus::prepare {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class SourceJsonlTest : public SourceTest {
 protected:
  std::vector<SourceRow> rows(const std::string& text, JsonlOptions options = {},
                              int64_t skip = 0) const {
    if (options.file.empty()) options.file = directory_ / "x.jsonl";
    write(options.file.filename(), text);
    return SourceTest::rows(JsonlSource(std::move(options)), skip);
  }
  io::Sample only_sample(const std::string& text) const {
    const auto all = rows(text);
    EXPECT_EQ(all.size(), 1u);
    EXPECT_EQ(all.at(0).problem, "");
    EXPECT_EQ(all.at(0).samples.size(), 1u);
    return all.at(0).samples.at(0);
  }
  std::string problem(const std::string& text) const {
    const auto all = rows(text);
    EXPECT_EQ(all.size(), 1u);
    EXPECT_THAT(all.at(0).samples, IsEmpty());
    return all.at(0).problem;
  }
};

TEST_F(SourceJsonlTest, OneSampleACaption) {
  const std::string line =
      R"({"image": "images/a.jpg", "captions": ["grey ", "very grey"], "w": 3})";
  const auto all = rows(line + "\n");
  ASSERT_EQ(all.size(), 1u);
  ASSERT_EQ(all[0].samples.size(), 2u);
  for (const io::Sample& sample : all[0].samples)
    EXPECT_THAT(sample.media, ElementsAre(bytes("images/a.jpg")));
  EXPECT_EQ(all[0].samples[0].key, "images/a.jpg#1");
  EXPECT_EQ(all[0].samples[1].key, "images/a.jpg#2");
  EXPECT_THAT(all[0].samples[0].turns, ElementsAre(io::Turn{io::TurnRole::kAssistant, "grey"}));
  EXPECT_THAT(all[0].samples[1].turns,
              ElementsAre(io::Turn{io::TurnRole::kAssistant, "very grey"}));

  JsonlOptions first;
  first.first_caption_only = true;
  const auto short_list = rows(line, first);
  ASSERT_EQ(short_list.at(0).samples.size(), 1u);
  EXPECT_EQ(short_list[0].samples[0].key, "images/a.jpg");
}

TEST_F(SourceJsonlTest, QuestionsAndTexts) {
  const io::Sample asked = only_sample(
      R"({"image": "./images/b.jpg", "question": "what is it?", "answer": ["grey", "dark"]})");
  EXPECT_THAT(asked.turns, ElementsAre(io::Turn{io::TurnRole::kUser, "what is it?"},
                                       io::Turn{io::TurnRole::kAssistant, "grey"}));
  EXPECT_THAT(asked.media, ElementsAre(bytes("images/b.jpg")));
  const io::Sample blind = only_sample(R"({"id": 17, "question": "2+2?", "answer": "4"})");
  EXPECT_EQ(blind.key, "17");
  EXPECT_THAT(blind.media, IsEmpty());
  const io::Sample text = only_sample("\n\n{\"text\": \"words\\nand more\"}");
  EXPECT_EQ(text.key, "row 1");
  EXPECT_THAT(text.turns, ElementsAre(io::Turn{io::TurnRole::kText, "words\nand more"}));
}

TEST_F(SourceJsonlTest, SeveralImages) {
  const io::Sample apart =
      only_sample(R"({"images": ["images/a.jpg", "images/b.jpg"], "caption": "two greys"})");
  EXPECT_EQ(apart.kind, io::MediaKind::kSeparateImages);
  EXPECT_THAT(apart.media, ElementsAre(bytes("images/a.jpg"), bytes("images/b.jpg")));
  const io::Sample video =
      only_sample(R"({"frames": ["images/a.jpg", "images/a.jpg"], "caption": "it stands"})");
  EXPECT_EQ(video.kind, io::MediaKind::kFrames);
  EXPECT_EQ(video.media.size(), 2u);
}

TEST_F(SourceJsonlTest, AnArrayIsReadAsLinesAre) {
  const std::string a = R"({"image": "images/a.jpg", "caption": ["grey", "dark"], "image_id": 7})";
  const std::string b =
      R"({"image": ["images/b.jpg"], "question": "<image>\nwhat?", "answer": "x"})";
  const std::string bad = R"({"image": "images/a.jpg", "caption": "\ud83d"})";
  const auto lines = rows(a + "\n" + bad + "\n" + b + "\n");
  const auto array = rows("\xEF\xBB\xBF [" + a + ",\r\n" + bad + "," + b + "]");
  ASSERT_EQ(lines.size(), 3u);
  ASSERT_EQ(array.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(array[i].reject, lines[i].reject);
    ASSERT_EQ(array[i].samples.size(), lines[i].samples.size());
    for (size_t k = 0; k < lines[i].samples.size(); ++k) {
      EXPECT_EQ(array[i].samples[k].key, lines[i].samples[k].key);
      EXPECT_EQ(array[i].samples[k].turns, lines[i].samples[k].turns);
      EXPECT_EQ(array[i].samples[k].media, lines[i].samples[k].media);
    }
  }
  EXPECT_EQ(lines[0].samples.size(), 2u);
  EXPECT_EQ(lines[1].reject, "malformed row");
  EXPECT_EQ(lines[2].samples.at(0).turns.at(0).text, "what?");
}

TEST_F(SourceJsonlTest, ContentThatIsNotReadRejectsTheRow) {
  const auto why = [&](const std::string& members) {
    const auto all = rows("{" + members + "}");
    EXPECT_THAT(all.at(0).samples, IsEmpty()) << members;
    return all.at(0).reject;
  };
  const std::string caption = R"("image": "images/a.jpg", "caption": "x", )";
  EXPECT_EQ(why(caption + R"("video": "a.mp4")"), "unread key video");
  EXPECT_EQ(why(caption + R"("history": [["a", "b"]])"), "unread key history");
  EXPECT_EQ(why(caption + R"("answer": "y")"), "unread key answer");
  EXPECT_EQ(why(R"("question": "x", "answer": "y", "Image": "images/a.jpg")"), "unread key image");
  EXPECT_EQ(why(R"("question": "x", "answer": "y", "image_path": "a.jpg")"),
            "unread key image_path");
  EXPECT_EQ(why(R"("question": "x", "answer": "y", "system": "be")"), "unread key system");
  EXPECT_EQ(why(R"("question": "<image>\nx", "answer": "y")"), "placeholders without pictures");
  EXPECT_EQ(why(R"("question": "<video>x", "answer": "y")"), "placeholders without media");
  EXPECT_EQ(why(R"("text": "<image>\nx")"), "placeholder in a text that is learned");
  EXPECT_EQ(only_sample("{" + caption + R"("video": null, "audio": [""], "system": " ", "w": 1})")
                .media.size(),
            1u);
  JsonlOptions options;
  options.map = parse_field_map({"question=q", "answer=a"});
  EXPECT_EQ(rows(R"({"q": "x", "a": "y", "history": [["a", "b"]]})", options).at(0).reject, "");
  EXPECT_EQ(rows(R"({"q": "x", "a": "y", "image": "images/a.jpg"})", options).at(0).reject,
            "unread key image")
      << "no sample without media from a row with one";
}

TEST_F(SourceJsonlTest, MediaUnderOtherNames) {
  for (const char* key : {"file_name", "filename", "filepath", "file_path", "path", "file"}) {
    const io::Sample asked = only_sample(
        fmt::format(R"({{"{}": "images/a.jpg", "question": "Q", "answer": "A"}})", key));
    EXPECT_THAT(asked.media, ElementsAre(bytes("images/a.jpg"))) << key;
    EXPECT_EQ(asked.key, "images/a.jpg");
  }
  const auto why = [&](const std::string& members) {
    const auto all = rows("{" + members + "}");
    EXPECT_THAT(all.at(0).samples, IsEmpty()) << members;
    return all.at(0).reject;
  };
  EXPECT_THAT(problem(R"({"file_name": "images/a.jpg", "text": "T"})"),
              HasSubstr("a text without images"));
  const std::string asked = R"("question": "Q", "answer": "A", )";
  for (const char* key : {"media", "clip", "screenshot", "left_image", "image_1", "voice", "jpg"}) {
    for (const char* value : {R"("x.JPG")", R"("d/x y.mp4")", R"(["x.wav"])",
                              R"({"path": "x.png"})", R"("https://h.org/x.webp?w=3")"})
      EXPECT_EQ(why(asked + fmt::format(R"("{}": {})", key, value)),
                std::string("unread key ") + key)
          << value;
  }
  EXPECT_EQ(why(R"("jpg": "a.jpg", "text": "T")"), "unread key jpg");
  // Beside a medium that is read.
  const std::string caption = R"("image": "images/a.jpg", "caption": "x", )";
  EXPECT_EQ(why(caption + R"("image2": "b.jpg")"), "unread key image2");
  EXPECT_EQ(why(caption + R"("image_b": {"bytes": "x"})"), "unread key image_b");
  EXPECT_EQ(why(caption + R"("image_path": "d/b.jpg")"), "unread key image_path");
  EXPECT_EQ(why(caption + R"("audio_path": "a.wav")"), "unread key audio_path");
  EXPECT_EQ(why(caption + R"("video_url": "http://h.org/a")"), "unread key video_url");
  EXPECT_EQ(why(caption + R"("file_name": "b.jpg")"), "unread key file_name");
  // Other names of it, and what is no medium.
  const std::vector<std::string> others = {R"("file_name": "train/a.jpg")",
                                           R"("image_id": 7)",
                                           R"("image_id": "x")",
                                           R"("url": "http://h.org/z.jpg")",
                                           R"("image_url": "http://h.org/z")",
                                           R"("image_name": "b")",
                                           R"("image_path": null)",
                                           R"("image_width": 6)",
                                           R"("source": "coco")",
                                           R"("note": "e.g. x")",
                                           R"("site": "http://h.org/x.html")",
                                           R"("id": "z.png")"};
  for (const std::string& member : others)
    EXPECT_EQ(only_sample("{" + caption + member + "}").media.size(), 1u) << member;
  EXPECT_EQ(only_sample("{" + asked + R"("note": "see page 3.", "id": "z.png"})").key, "z.png");
}

TEST_F(SourceJsonlTest, TextsThatAreNotReadRejectTheRow) {
  for (const char* key :
       {"attachments", "documents", "rationale", "explanation", "solution", "lecture", "query",
        "summary", "description", "long_caption", "candidates", "distractors", "multiple_choices",
        "subtitles", "transcript"}) {
    const auto all = rows(fmt::format(R"({{"question": "Q", "answer": "A", "{}": ["x"]}})", key));
    EXPECT_EQ(all.at(0).reject, std::string("unread key ") + key);
  }
}

TEST_F(SourceJsonlTest, UrlsAreNamed) {
  const auto of = [&](const std::string& image) {
    return rows(R"({"image": ")" + image + R"(", "caption": "x"})").at(0);
  };
  for (const char* url : {"http://h.org/a.jpg", "https://h.org/a.jpg?w=1", "s3://b/a.jpg"}) {
    EXPECT_EQ(of(url).reject, "URL");
    EXPECT_THAT(of(url).problem, AllOf(HasSubstr(url), HasSubstr("not downloaded")));
  }
  const SourceRow data = of("data:image/png;base64," + std::string(5000, 'A'));
  EXPECT_EQ(data.reject, "data URL");
  EXPECT_LT(data.problem.size(), 300u);
}

TEST_F(SourceJsonlTest, TheFirstTextWithContentIsTheFirst) {
  JsonlOptions options;
  options.first_caption_only = true;
  const auto all = rows(R"({"image": "images/a.jpg", "captions": ["", "good", " ", "more"]}
{"question": "Q", "answer": [null, "yes", "no"]}
{"question": "Q", "answer": ["", " "]}
)",
                        options);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].samples.at(0).turns.back().text, "good");
  EXPECT_EQ(all[0].left_out, (LeftOut{{"captions after the first", 1}}));
  EXPECT_EQ(all[1].samples.at(0).turns.back().text, "yes");
  EXPECT_EQ(all[1].left_out, (LeftOut{{"answers after the first", 1}}));
  EXPECT_EQ(all[2].reject, "empty text");
}

TEST_F(SourceJsonlTest, ColumnsAreNoRows) {
  const std::string images = R"(["images/a.jpg", "images/b.jpg"])";
  EXPECT_EQ(rows(R"({"image": )" + images + R"(, "caption": ["c", "d"]})").at(0).reject,
            "columns instead of rows");
  EXPECT_EQ(rows(R"({"images": )" + images + R"(, "captions": ["c", "d"]})").at(0).samples.size(),
            2u);
}

TEST_F(SourceJsonlTest, ARowOfEmptyCellsIsARow) {
  JsonlOptions options;
  options.file = directory_ / "x.tsv";
  const auto all = rows("image\tcaption\n\t\nimages/a.jpg\tgrey\n\n \t \r\n", options);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_NE(all[0].reject, "");
  EXPECT_EQ(all[1].reject, "");
  EXPECT_NE(all[2].reject, "");
}

TEST_F(SourceJsonlTest, IdsAreNames) {
  const auto key = [&](const std::string& id) {
    return only_sample(R"({"id": )" + id + R"(, "text": "x"})").key;
  };
  EXPECT_EQ(key("1.0"), "1");
  EXPECT_EQ(key("-3"), "-3");
  EXPECT_EQ(key("\"01\""), "01");
  EXPECT_EQ(key("null"), "row 1");
  EXPECT_EQ(key("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(key("0.5"), "0.5");
  EXPECT_EQ(key("{\"$oid\":\"a\"}"), "{\"$oid\":\"a\"}");
}

TEST_F(SourceJsonlTest, FieldsOfOtherNames) {
  JsonlOptions options;
  options.map = parse_field_map({"image=path", "caption=TEXT"});
  const auto mapped =
      rows(R"({"path": "images/a.jpg", "TEXT": "grey", "text": "unused"})", options);
  ASSERT_EQ(mapped.at(0).problem, "");
  EXPECT_THAT(mapped[0].samples.at(0).turns,
              ElementsAre(io::Turn{io::TurnRole::kAssistant, "grey"}));
  EXPECT_THAT(rows(R"({"image": "images/a.jpg", "caption": "grey"})", options).at(0).problem,
              HasSubstr("expected one of caption"));
  EXPECT_THROW(parse_field_map({"captoin=x"}), UsageError);
  EXPECT_THROW(parse_field_map({"caption"}), UsageError);
  EXPECT_THROW(parse_field_map({"caption="}), UsageError);
  EXPECT_THROW(parse_field_map({"caption=a", "caption=b"}), UsageError);
}

TEST_F(SourceJsonlTest, Tsv) {
  JsonlOptions options;
  options.file = directory_ / "x.tsv";
  const auto named = rows("id\timage\tcaption\n7\timages/a.jpg\tgrey\nx\ty\n", options);
  ASSERT_EQ(named.size(), 2u);
  EXPECT_EQ(named[0].samples.at(0).key, "7");
  EXPECT_THAT(named[0].samples[0].media, ElementsAre(bytes("images/a.jpg")));
  EXPECT_THAT(named[1].problem, HasSubstr("x.tsv:3: expected 3 cells"));
  EXPECT_EQ(JsonlSource({.file = options.file}).extent().rows, 2) << "without the header";
  EXPECT_EQ(named[1].done, 3);
  options.map = parse_field_map({"caption=1", "image=2"});
  const auto numbered = rows("grey\timages/a.jpg\ndark\timages/b.jpg\n", options, 1);
  ASSERT_EQ(numbered.size(), 1u);
  EXPECT_THAT(numbered[0].samples.at(0).media, ElementsAre(bytes("images/b.jpg")));
}

TEST_F(SourceJsonlTest, AnotherRoot) {
  JsonlOptions options;
  options.root = directory_ / "images";
  EXPECT_EQ(rows(R"({"image": "a.jpg", "caption": "grey"})", options).at(0).problem, "");
  options.root = directory_ / "absent";
  EXPECT_THROW(rows("{}", options), InputError);
  EXPECT_THROW(JsonlSource({.file = directory_ / "absent.jsonl"}), IoError);
}

TEST_F(SourceJsonlTest, UnusableRowsSayWhy) {
  EXPECT_THAT(problem(R"({"image": "images/absent.jpg", "caption": "x"})"),
              AllOf(HasSubstr("x.jsonl:1"), HasSubstr("key image"), HasSubstr("absent.jpg"),
                    HasSubstr("No such file")));
  EXPECT_THAT(problem(R"({"image": "../a.jpg", "caption": "x"})"), HasSubstr("a path below"));
  EXPECT_THAT(problem(R"({"image": "images/../../a.jpg", "caption": "x"})"),
              HasSubstr("a path below"));
  EXPECT_THAT(problem(R"({"image": "/etc/passwd", "caption": "x"})"),
              HasSubstr("expected a path relative to the root"));
  EXPECT_NE(problem(R"({"image": "images", "caption": "x"})"), "");
  EXPECT_THAT(problem(R"({"image": "x.jsonl", "caption": "x"})"),
              HasSubstr("a JPEG, PNG, WebP, GIF"));
  EXPECT_THAT(problem(R"({"image": "images/a.jpg"})"), HasSubstr("the keys image"));
  EXPECT_THAT(problem(R"({"caption": "x"})"), HasSubstr("a caption with one of image"));
  EXPECT_THAT(problem(R"({"images": [], "caption": "x"})"),
              HasSubstr("a caption with one of image"));
  EXPECT_THAT(problem(R"({"text": "x", "image": "images/a.jpg"})"),
              HasSubstr("a text without images"));
  EXPECT_THAT(problem(R"({"text": "x", "caption": "y"})"), HasSubstr("expected one of"));
  EXPECT_THAT(problem(R"({"image": "images/a.jpg", "frames": ["images/a.jpg"], "caption": "y"})"),
              HasSubstr("expected one of image"));
  EXPECT_THAT(problem(R"({"image": "images/a.jpg", "captions": []})"), HasSubstr("empty list"));
  EXPECT_THAT(problem(R"({"image": "images/a.jpg", "captions": ["", null]})"),
              HasSubstr("found only empty ones"));
  EXPECT_THAT(problem(R"({"question": "x"})"),
              HasSubstr("expected answer, found the keys question"));
  EXPECT_THAT(problem(R"({"image": 3, "caption": "x"})"), HasSubstr("key image"));
  EXPECT_THAT(problem("[1]"), HasSubstr("an object"));
  EXPECT_THAT(problem("{"), HasSubstr("x.jsonl:1"));
}

TEST_F(SourceJsonlTest, DamagedImagesAreFound) {
  const std::string good = bytes("images/a.jpg");
  write("cut.jpg", good.substr(0, good.size() - 20));
  EXPECT_THAT(problem(R"({"image": "cut.jpg", "caption": "x"})"),
              AllOf(HasSubstr("x.jsonl:1"), HasSubstr("cut.jpg"), HasSubstr("JPEG")));
}

TEST_F(SourceJsonlTest, ABadRowDoesNotHarmItsNeighbours) {
  const std::string good = R"({"image": "images/a.jpg", "caption": "x"})";
  write("x.jsonl", good + "\n{broken\n" + good + "\n\n" + good);
  JsonlSource source({.file = directory_ / "x.jsonl"});
  EXPECT_EQ(source.extent().rows, 4) << "a blank line is no row";
  std::vector<size_t> samples;
  std::vector<std::string> problems;
  source.read(0, [&](const SourceRow& row) {
    samples.push_back(row.samples.size());
    if (!row.problem.empty()) problems.push_back(row.problem);
  });
  EXPECT_THAT(samples, ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(problems, ElementsAre(HasSubstr("x.jsonl:2")));
}

TEST_F(SourceJsonlTest, Photographs) {
  const fs::path folder = fs::path(LYNCEUS_SOURCE_DIR) / "tests/data/photos";
  JsonlSource source({.file = folder / "captions.jsonl"});
  size_t samples = 0;
  int64_t rows_read = 0;
  source.read(0, [&](const SourceRow& row) {
    EXPECT_EQ(row.problem, "");
    samples += row.samples.size();
    EXPECT_EQ(row.done, ++rows_read);
  });
  EXPECT_EQ(rows_read, source.extent().total);
  EXPECT_EQ(rows_read, 6);
  EXPECT_EQ(samples, 30u);
}

TEST_F(SourceJsonlTest, EmptyCaptionsAreLeftOutAndCounted) {
  const auto all = rows(R"({"image": "images/a.jpg", "captions": ["", "x", null, "y", " "]}
                           {"image": "images/a.jpg", "captions": ["x", 5]})");
  ASSERT_EQ(all.size(), 2u);
  ASSERT_EQ(all[0].samples.size(), 2u) << all[0].problem;
  EXPECT_EQ(all[0].samples[1].turns[0].text, "y");
  EXPECT_EQ(all[0].left_out, (LeftOut{{"captions without text", 3}}));
  EXPECT_EQ(all[1].reject, "malformed row");
}

}  // namespace
}  // namespace lynceus::prepare
