// Tar archives: which entries become a sample; hostile archives end in a message or a rejected row.
#include "prepare/sources/webdataset.h"

#include "tests/prepare/sources/source_fixture.h"
#include "tests/prepare/sources/tar_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class SourceWebdatasetTest : public SourceTest {
 protected:
  std::string a() const { return bytes("images/a.jpg"); }
  std::string b() const { return bytes("images/b.jpg"); }
  std::filesystem::path tar() const { return directory_ / "x.tar"; }
  std::vector<SourceRow> read(int64_t skip = 0) const {
    return rows(WebdatasetSource({.file = tar()}), skip);
  }
};

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

TEST_F(SourceWebdatasetTest, CompressedArchivesAreSeenByTheirContents) {
  for (const char* ending : {".tar", ".gz", ".bz2", ".xz", ".zst", ".lz4"}) {
    const std::string made = std::string("made") + ending;
    TarWriter(directory_ / made).file("1.jpg", a()).file("1.txt", "x").file("2.jpg", b());
    const std::string whole = bytes(made);
    write("x.tar", whole);
    const auto all = read();
    EXPECT_THAT(keys(all), ElementsAre("1")) << ending;
    EXPECT_EQ(all.size(), 2u);
    // A part of it is an error, or the account has a word about the end.
    for (size_t size = 1; size < whole.size(); size += ending == std::string(".tar") ? 509 : 29) {
      write("x.tar", whole.substr(0, size));
      input_error([&] {
        WebdatasetSource part({.file = tar()});
        part.read(0, [](const SourceRow&) {});
        EXPECT_TRUE(part.account().entries == 3 || !part.account().notes.empty())
            << ending << ": " << size << " of " << whole.size() << " bytes";
      });
    }
  }
}

TEST_F(SourceWebdatasetTest, JoinedArchivesAreReadOn) {
  for (const char* ending : {".tar", ".gz", ".zst"}) {
    std::string joined;
    for (int i = 0; i < 3; ++i) {
      const std::string name = "part" + std::string(ending);
      TarWriter(directory_ / name).file("1.jpg", i == 1 ? b() : a()).file("1.txt", "x");
      joined += bytes(name);
      if (ending == std::string(".tar")) joined += std::string(512 * static_cast<size_t>(i), '\0');
    }
    write("x.tar", joined);
    WebdatasetSource source({.file = tar()});
    std::vector<std::string> pictures;
    source.read(0, [&](const SourceRow& row) {
      for (const io::Sample& sample : row.samples) pictures.push_back(sample.media.at(0));
    });
    EXPECT_THAT(pictures, ElementsAre(a(), b(), a())) << ending;
    EXPECT_EQ(source.account().entries, 6);
    EXPECT_THAT(source.account().notes, ElementsAre(HasSubstr("consists of 3 archives")));
    EXPECT_EQ(rows(WebdatasetSource({.file = tar()}), 2).size(), 1u);
  }
}

TEST_F(SourceWebdatasetTest, WhatFollowsACompressedArchiveIsReadOrRejected) {
  const auto part = [&](const std::string& ending, const std::string& picture) {
    const std::string name = "part" + ending;
    TarWriter(directory_ / name).file("1.jpg", picture).file("1.txt", "x");
    return bytes(name);
  };
  const auto takes_rest_for_damage = [](const std::string& ending) {  // libarchive
    return ending == ".zst" || ending == ".xz";
  };
  for (const char* first : {".gz", ".bz2", ".xz", ".zst", ".lz4"}) {
    for (const char* second : {".tar", ".gz", ".bz2", ".xz", ".zst", ".lz4"}) {
      for (const size_t zeros : {0u, 512u, 1000u}) {
        SCOPED_TRACE(fmt::format("{} zeros={} {}", first, zeros, second));
        write("x.tar", part(first, a()) + std::string(zeros, '\0') + part(second, b()));
        std::vector<std::string> pictures;
        const std::string problem = input_error([&] {
          WebdatasetSource source({.file = tar()});
          source.read(0, [&](const SourceRow& row) {
            for (const io::Sample& sample : row.samples) pictures.push_back(sample.media.at(0));
          });
          EXPECT_EQ(source.account().entries, 4);
        });
        if (problem == "no InputError") {
          EXPECT_THAT(pictures, ElementsAre(a(), b()));
        } else {
          EXPECT_THAT(problem, HasSubstr("not intact compressed bytes"));
          EXPECT_TRUE(takes_rest_for_damage(first)) << problem;
        }
      }
    }
    std::string damaged = part(".gz", b());
    damaged[1] = 'j';
    for (const std::string& rest : {damaged, std::string("x junk"), std::string(3000, 'j')}) {
      write("x.tar", part(first, a()) + rest);
      std::vector<std::string> rejects;
      const std::string problem = input_error([&] {
        for (const SourceRow& row : read()) rejects.push_back(row.reject);
      });
      if (problem == "no InputError") {
        EXPECT_THAT(rejects, ElementsAre("", "bytes after the end")) << first;
      } else {
        EXPECT_THAT(problem, HasSubstr("not intact compressed bytes"));
        EXPECT_TRUE(takes_rest_for_damage(first)) << problem;
      }
    }
    if (first == std::string(".zst")) continue;  // its format has no padding
    write("x.tar", part(first, a()) + std::string(5000, '\0'));
    EXPECT_THAT(keys(read()), ElementsAre("1")) << "padding";
  }
}

TEST_F(SourceWebdatasetTest, TheEndOfAnArchive) {
  TarWriter(tar()).file("1.jpg", a()).file("1.txt", "x");
  const std::string whole = bytes("x.tar");
  for (const size_t extra : {1u, 511u, 512u, 5000u}) {
    write("x.tar", whole + std::string(extra, 'j'));
    const auto all = read();
    ASSERT_EQ(all.size(), 2u) << extra;
    EXPECT_EQ(all[1].reject, "bytes after the end");
    EXPECT_THAT(keys(all), ElementsAre("1"));
  }
  const size_t entries = whole.find_last_not_of('\0') / 512 * 512 + 512;
  for (const size_t zeros : {0u, 512u, 1024u, 1000u}) {
    write("x.tar", whole.substr(0, entries) + std::string(zeros, '\0'));
    WebdatasetSource source({.file = tar()});
    EXPECT_THAT(keys(rows(WebdatasetSource({.file = tar()}))), ElementsAre("1")) << zeros;
    source.read(0, [](const SourceRow&) {});
    const std::vector<std::string> notes = source.account().notes;
    EXPECT_EQ(notes.size(), zeros == 0 ? 1u : 0u) << zeros;
    for (const std::string& note : notes) EXPECT_THAT(note, HasSubstr("has no end mark"));
  }
  for (const size_t zeros : {0u, 512u, 1024u, 10240u}) {
    write("x.tar", std::string(zeros, '\0'));
    EXPECT_TRUE(read().empty()) << zeros;
  }
  write("x.tar", "PK\x03\x04 and so on");
  EXPECT_THAT(input_error([&] { read(); }),
              HasSubstr("is a zip archive: unpack it first (unzip); expected a tar archive"));
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

TEST_F(SourceWebdatasetTest, DamagedArchivesEndInOneMessage) {
  TarWriter(tar()).file("1.jpg", a()).file("1.txt", "x").file("2.jpg", b()).file("2.txt", "x");
  const std::string whole = bytes("x.tar");
  write("x.tar", whole.substr(0, whole.find(b()) + 100));
  std::vector<SourceRow> before;
  EXPECT_THAT(input_error([&] {
                WebdatasetSource({.file = tar()}).read(0, [&](SourceRow row) {
                  before.push_back(std::move(row));
                });
              }),
              AllOf(HasSubstr("x.tar: not an intact tar archive"), HasSubstr("2.jpg")));
  EXPECT_THAT(keys(before), ElementsAre("1"));
  write("x.tar", "this is a text, not an archive");
  EXPECT_THAT(input_error([&] { read(); }), HasSubstr("not an intact tar archive"));
  std::string flipped = whole;
  flipped[100] ^= 1;  // in the first header
  const std::string expected =
      "expected the header of its first entry at byte 0, 512 bytes with their "
      "checksum, found ";
  for (const auto& [text, found] : {std::pair{flipped, "one with another checksum"},
                                    {whole.substr(0, 511), "fewer bytes"},
                                    {std::string(1024, 'x'), "bytes that are no header"}}) {
    write("x.tar", text);
    EXPECT_THAT(input_error([&] { read(); }),
                HasSubstr("x.tar: not an intact tar archive: " + expected + found));
  }
  write("x.tar", "");
  EXPECT_NE(input_error([&] {
              if (read().empty()) throw InputError("no rows");
            }),
            "no InputError");
  EXPECT_THROW(WebdatasetSource({.file = directory_ / "absent.tar"}), IoError);
}

TEST_F(SourceWebdatasetTest, ABombIsStopped) {
  const auto packed = directory_ / "x.tar.gz";
  {
    TarWriter writer(packed);
    for (int i = 0; i < 40; ++i) writer.file(fmt::format("{}.bin", i), std::string(1 << 20, '\0'));
  }
  EXPECT_LT(std::filesystem::file_size(packed), 200'000u);
  WebdatasetOptions options{.file = packed};
  options.limits.max_bytes = 32 << 20;
  EXPECT_THAT(input_error([&] { rows(WebdatasetSource(options)); }),
              HasSubstr("expected entries of at most 33554432 bytes in total, found more"));
  options.limits.max_bytes = 41 << 20;
  EXPECT_TRUE(rows(WebdatasetSource(options)).empty());
}

}  // namespace
}  // namespace lynceus::prepare
