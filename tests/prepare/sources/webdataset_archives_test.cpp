// Tar archives that are compressed, joined, cut or damaged are read as a whole or end in one
// message.
#include "tests/prepare/sources/webdataset_fixture.h"

namespace lynceus::prepare {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

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
