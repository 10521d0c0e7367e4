// The sources of `lynceus prepare` as a user calls them: the output of each, several ranks, dry
// runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "io/dataset/dataset.h"
#include "prepare_fixture.h"
#include "tests/prepare/sources/tar_fixture.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST_F(PrepareSourcesTest, EachSourceWritesItsShards) {
  const std::string coco = write("coco.json", R"({"images": [{"id": 1,
      "file_name": "000000008762.jpg"}], "annotations": [{"id": 3, "image_id": 1, "caption": "x"},
      {"id": 4, "image_id": 2, "caption": "y"}]})");
  Output output = prepare({"coco", "--input", coco, "--root", root_, "--output", out("coco")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, AllOf(HasSubstr("read 2 rows, rejected 1: 1 unknown picture id; see "),
                                HasSubstr("prepared 1 samples, 1 images")));
  EXPECT_THAT(names(out("coco")),
              ElementsAre("coco-rejects.jsonl", "coco.finished", "coco.h5", "coco.h5.xxh"));
  EXPECT_EQ(io::ShardReader(out("coco") + "/coco.h5").key(0), "000000008762.jpg#3");

  const std::string llava = write("llava.json", R"([{"id": "p", "image": "000000008762.jpg",
      "conversations": [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt",
      "value": "lights"}, {"from": "human", "value": "where?"}, {"from": "gpt",
      "value": "there"}]}])");
  output = prepare(
      {"llava", "--input", llava, "--root", root_, "--output", out("llava"), "--task", "dialogue"});
  ASSERT_EQ(output.code, 0) << output.all();
  const io::ShardReader dialogue(out("llava") + "/llava.h5");
  EXPECT_EQ(dialogue.info().task, "dialogue");
  EXPECT_EQ(dialogue.turns(0).size(), 4u);
  EXPECT_EQ(dialogue.read_media(0, 0), io::read_text(fs::path(root_) / "000000008762.jpg"));

  std::string questions;
  for (const char* name : {"OCR", "Action(Y/N)", "OCR"})
    questions += fmt::format(
        "{{\"dataset\": \"D\", \"question\": \"q\", \"answer\": [\"a\"], \"index\": 1, \"image\": "
        "\"000000008762.jpg\", \"origin_dataset\": \"o\", \"class\": \"{}\"}}\n",
        name);
  output = prepare(
      {"openvqa", "--input", write("q.jsonl", questions), "--root", root_, "--output", out("q")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(io::ShardReader(out("q") + "/q-OCR.h5").size(), 2);
  EXPECT_EQ(io::ShardReader(out("q") + "/q-Action_Y_N.h5").info().task, "Action(Y/N)");

  const std::string alpaca = write("a.json", R"([{"instruction": "x", "output": "y"}])");
  output = prepare({"text", "--input", alpaca, "--output", out("a")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(io::ShardReader(out("a") + "/a.h5").media_count(0), 0);

  prepare::TarWriter(folder_ / "t.tar.gz")
      .file("1.jpg", io::read_text(fs::path(root_) / "000000008762.jpg"))
      .file("1.txt", "lights");
  output = prepare({"webdataset", "--input", out("t.tar.gz"), "--output", out("t")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(io::ShardReader(out("t") + "/t.h5").key(0), "1");

  output = prepare({"jsonl", "--input", write("m.tsv", "lights\t000000008762.jpg\n"), "--map",
                    "caption=1", "image=2", "--root", root_, "--output", out("m")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_EQ(io::ShardReader(out("m") + "/m.h5").turns(0)[0].text, "lights");
}

TEST_F(PrepareSourcesTest, FoldersTablesAndPatterns) {
  const std::string photo = io::read_text(fs::path(root_) / "000000008762.jpg");
  for (const char* name : {"[v1] a", "[v1] b"}) {
    fs::create_directories(out(name));
    write(std::string(name) + "/ü 1.jpg", photo);
    write(std::string(name) + "/ü 1.txt", "lights\ngreen lights\n");
    write(std::string(name) + "/notes.md", "x");
  }
  const Arguments call = {"folder", "--input", out("\\[v1\\] *"), "--output", out("f")};
  Output output = prepare(call);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, AllOf(HasSubstr("prepared 4 samples, 4 images"),
                                HasSubstr("read 1 row of 3 entries, rejected 0\n  passed over 1 "
                                          "entry: 1 other type\n")));
  EXPECT_EQ(io::ShardReader(out("f") + "/[v1] b.h5").key(1), "ü 1.jpg#2");
  EXPECT_THAT(prepare({"folder", "--help"}).out,
              AllOf(HasSubstr("--input TEXT... "), HasSubstr(" folders to read, or patterns"),
                    Not(HasSubstr("files to read"))));
  EXPECT_THAT(names(out("f")), ElementsAre("[v1] a.finished", "[v1] a.h5", "[v1] a.h5.xxh",
                                           "[v1] b.finished", "[v1] b.h5", "[v1] b.h5.xxh"));

  const Arguments inside = {"folder", "--input", out("[v1] a"), "--output", out("[v1] a/shards")};
  output = prepare(inside);
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, HasSubstr("read 1 row of 4 entries, rejected 0\n  passed over 2 entries: "
                                    "1 other type, 1 output folder\n"));
  EXPECT_THAT(prepare(inside).out, testing::StartsWith("already complete: 2 samples"));
  output = prepare({"folder", "--input", out("[v1] a"), "--output", out("[v1] a")});
  EXPECT_EQ(output.code, 2) << output.all();
  EXPECT_THAT(output.err, HasSubstr("expected another folder than the input"));
  EXPECT_FALSE(fs::exists(out("[v1] a/LEASE.json")));

  const std::string table =
      write("t.csv", "path,title\r\n000000008762.jpg,\"red, \"\"green\"\"\"\r\n");
  for (const std::string& input : {table, out("t.cs?")}) {
    output = prepare({"jsonl", "--input", input, "--map", "image=path", "caption=title", "--root",
                      root_, "--output", out("t"), "--overwrite"});
    ASSERT_EQ(output.code, 0) << output.all();
    EXPECT_EQ(io::ShardReader(out("t") + "/t.h5").turns(0)[0].text, "red, \"green\"");
  }
  fs::copy(table, out("t.data"));
  output = prepare({"jsonl", "--input", out("t.data"), "--format", "csv", "--map", "image=path",
                    "caption=title", "--root", root_, "--output", out("u")});
  EXPECT_EQ(output.code, 0) << output.all();
}

TEST_F(PrepareSourcesTest, DryRunCountsAndWritesNothing) {
  const std::string input = write("x.jsonl", "{\"text\": \"one\"}\n{\"text\": \"\"}\n{broken\n");
  const Output output = prepare({"jsonl", "--input", input, "--dry-run", "--output", out("none")});
  EXPECT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out,
              AllOf(HasSubstr("read 3 rows, rejected 2: 1 empty text, 1 malformed row; the first "
                              "is " +
                              input + ":2: "),
                    HasSubstr("dry run: 1 samples, 0 images (0 B), 2 rejected; nothing was")));
  EXPECT_EQ(prepare({"jsonl", "--input", input, "--dry-run"}).out.substr(0, 2), "x.");
  EXPECT_THAT(names(folder_.path()), ElementsAre("x.jsonl"));
  const std::string unusable = write("y.jsonl", "{\"text\": \"\"}\n");
  const Output none = prepare({"jsonl", "--input", unusable, "--dry-run", "--output", out("none")});
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.out, HasSubstr("dry run: 0 samples"));
  EXPECT_THAT(none.err, AllOf(HasSubstr("expected at least one sample, found none: 1 of 1 rows are "
                                        "unusable (1 empty text); the first is " +
                                        unusable + ":1: ")));
}

TEST_F(PrepareSourcesTest, OneEmptyInputAmongOthersIsNoError) {
  const std::string row = R"({"instruction": "x", "output": "y"})";
  Arguments arguments = {"text",
                         "--input",
                         write("a.jsonl", row + "\n"),
                         write("b.jsonl", ""),
                         write("c.jsonl", "\n\n"),
                         write("d.jsonl", "{}\n"),
                         write("e.jsonl", row + "\n" + row + "\n")};
  const Output one = prepare(arguments + Arguments{"--output", out("one")});
  ASSERT_EQ(one.code, 0) << one.all();
  EXPECT_THAT(one.out, AllOf(HasSubstr("prepared 3 samples"), HasSubstr("1 rejected, 2 shards"),
                             HasSubstr("/b no samples\n  read 0 rows, rejected 0\n"),
                             HasSubstr("read 1 row, rejected 1: 1 malformed row; the first is " +
                                       arguments[5])));
  EXPECT_THAT(names(out("one")),
              ElementsAre("a.finished", "a.h5", "a.h5.xxh", "b.finished", "c.finished",
                          "d-rejects.jsonl", "d.finished", "e.finished", "e.h5", "e.h5.xxh"));
  const Output three = prepare(arguments + Arguments{"--output", out("three")}, {.ranks = 3});
  ASSERT_EQ(three.code, 0) << three.all();
  EXPECT_EQ(contents(out("one")), contents(out("three")));
  EXPECT_THAT(three.out, HasSubstr("the first is " + arguments[5]));

  const Output none = prepare(
      {"text", "--input", arguments[3], arguments[5], "--output", out("none")}, {.ranks = 2});
  EXPECT_EQ(none.code, 3);
  EXPECT_EQ(none.messages(), 1) << none.all();
  EXPECT_THAT(none.err, AllOf(HasSubstr("b.jsonl and 1 other input: expected at least one sample, "
                                        "found none: 1 of 1 rows are unusable (1 malformed row)"),
                              HasSubstr("the first is " + arguments[5])));
  EXPECT_THAT(names(out("none")), ElementsAre("d-rejects.jsonl"));
}

TEST_F(PrepareSourcesTest, OpenVqaHasItsClasses) {
  const Output output =
      prepare({"openvqa", "--dry-run", "--input",
               std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/openvqa/Open_VQA_images.jsonl"});
  ASSERT_EQ(output.code, 3) << "no image is there: " << output.all();
  const std::map<std::string, int> published = {{"Others", 94},    {"OCR", 53},    {"Counting", 37},
                                                {"Reasoning", 31}, {"Color", 30},  {"Place", 22},
                                                {"Action", 20},    {"Spatial", 15}};
  for (const auto& [name, count] : published)
    EXPECT_THAT(output.out, testing::ContainsRegex(
                                fmt::format("Open_VQA_images-{} +no samples\n  read {} rows, "
                                            "rejected {}: {} missing picture",
                                            name, count, count, count)));
  EXPECT_THAT(output.out, HasSubstr("302 rejected"));
}

TEST_F(PrepareSourcesTest, NamesOfFilesMayBeAnyBytes) {
  const std::string folder = out("caf\xe9");
  fs::create_directories(folder);
  const std::string row = R"({"instruction": "x", "output": "y"}, )";
  std::ofstream(folder + "/a.json") << "[" + row + row;  // a note names the file
  const Arguments arguments = {"text", "--input", folder + "/a.json", "--output", out("a")};
  const Output first = prepare(arguments);
  ASSERT_EQ(first.code, 0) << first.all();
  EXPECT_THAT(first.out, HasSubstr("it has no ] at its end"));
  EXPECT_THAT(prepare(arguments).out, testing::StartsWith("already complete: 2 samples"));

  std::ofstream(folder + "/\xe9.json") << "[" + row + row;
  const Output named =
      prepare({"text", "--input", folder + "/\xe9.json", "--output", out("named")});
  EXPECT_EQ(named.code, 2) << named.all();
  EXPECT_THAT(named.err, AllOf(HasSubstr("must be UTF-8, found \\xE9 and \\xE9: rename the file"),
                               Not(HasSubstr("json.exception"))));
}

TEST_F(PrepareSourcesTest, WrongCallsSayWhatIsWrong) {
  const auto message = [&](const Arguments& arguments, int code) {
    const Output output = prepare(arguments + Arguments{"--output", out("none")});
    EXPECT_EQ(output.code, code) << output.all();
    EXPECT_EQ(output.messages(), 1) << output.all();
    return output.err;
  };
  EXPECT_THAT(message({"coco"}, 2), HasSubstr("prepare coco: expected --input FILE"));
  EXPECT_THAT(message({"webdataset", "--input", "a.tar", "b/a.tar.gz"}, 2),
              HasSubstr("two files are named a"));
  EXPECT_THAT(message({"webdataset", "--input", "a.tar"}, 3), HasSubstr("a.tar"));
  EXPECT_FALSE(fs::exists(out("none")));
  EXPECT_THAT(message({"openvqa", "--input", write("e.jsonl", "{}\n")}, 3),
              AllOf(HasSubstr("found none: 1 of 1 rows are unusable"), HasSubstr("'class'")));
  fs::remove_all(out("none"));
  EXPECT_THAT(message({"text", "--input", "a.json", "a-1.json"}, 2),
              HasSubstr("a-1.h5 would be a shard of a as well as of a-1"));
  EXPECT_THAT(message({"jsonl", "--input", "x", "--map", "captoin=x"}, 2), HasSubstr("captoin"));
  EXPECT_THAT(message({"jsonl", "--input", folder_.path() / "x*.jsonl"}, 3),
              HasSubstr("expected files that match this pattern, found none; * ? [ ] { } are"));
  EXPECT_THAT(message({"jsonl", "--input", write("p.parquet", "PAR1")}, 3),
              AllOf(HasSubstr("p.parquet: a parquet file"),
                    HasSubstr("python3 -c 'import sys, pandas"), HasSubstr("/p.jsonl'")));
  write("it's-rows.jsonl", "");
  EXPECT_THAT(message({"jsonl", "--input", write("it's.jsonl", "PAR1")}, 3),
              testing::EndsWith("it'\\''s-rows-2.jsonl'\n"))
      << "a name that is not taken, quoted";
  fs::create_symlink("absent.jsonl", folder_ / "link.jsonl");
  EXPECT_THAT(message({"jsonl", "--input", out("link.jsonl")}, 3),
              AllOf(HasSubstr("link.jsonl: expected a file or a folder, found a link to "),
                    HasSubstr("absent.jsonl', which does not exist")));
  EXPECT_THAT(
      message({"jsonl", "--input", write("c.csv", "url,title\nx,y\n"), "--map", "image=path"}, 3),
      HasSubstr("expected the column 'path' of --map image=path, found the columns url, title"));
  EXPECT_THAT(
      message({"jsonl", "--input", write("c.csv", "url,title\nx,y\n")}, 3),
      HasSubstr("expected one of the columns caption, captions, question, text, found the"));
  EXPECT_FALSE(fs::exists(out("none")));
  EXPECT_THAT(message({"llava", "--input", write("t.json", "[{}, {")}, 3),
              AllOf(HasSubstr("2 of 2 rows are unusable"), HasSubstr("t.json: no row was found")));
  fs::remove_all(out("none"));

  const Output output =
      prepare({"openvqa", "--input", write("e.jsonl", "{}\n"), "--output", out("questions")});
  EXPECT_EQ(output.code, 3) << output.all();
  EXPECT_THAT(output.err, AllOf(HasSubstr("expected at least one sample, found none"),
                                HasSubstr("the key 'class' is missing")));
}

/// Rows of six photographs with five captions each, repeated, and rows whose image does not exist.

TEST_F(PrepareSourcesTest, TheNumberOfRanksChangesNothing) {
  Arguments arguments = {"text", "--max-bad", "1", "--input"};
  for (int i = 0; i < 5; ++i) {
    std::string rows;
    for (int k = 0; k <= i; ++k)
      rows += fmt::format("{{\"instruction\": \"{}\", \"output\": \"{}\"}}\n{{}}\n", i, k);
    arguments.push_back(write(fmt::format("t{}.jsonl", i), rows));
  }
  const auto summary = [](const Output& output) {
    return output.out.substr(output.out.find("prepared"), 40);
  };
  const Output one = prepare(arguments + Arguments{"--output", out("one")});
  ASSERT_EQ(one.code, 0) << one.all();
  const Output three = prepare(arguments + Arguments{"--output", out("three")}, {.ranks = 3});
  ASSERT_EQ(three.code, 0) << three.all();
  EXPECT_EQ(contents(out("one")), contents(out("three")));
  EXPECT_EQ(names(out("one")).size(), 20u);
  EXPECT_EQ(summary(one), summary(three));
  EXPECT_THAT(three.out, HasSubstr("prepared 15 samples, 0 images (0 B), 15 rejected"));
  EXPECT_THAT(three.out, HasSubstr("read 10 rows, rejected 5: 5 malformed row"));
  const Output refused = prepare(
      arguments + Arguments{"--output", out("four"), "--train-tokenizer", "300"}, {.ranks = 2});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("--train-tokenizer: expected one rank, found 2"));
}

}  // namespace
}  // namespace lynceus::cli_test
