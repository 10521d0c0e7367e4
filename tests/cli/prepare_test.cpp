// `lynceus prepare` as a user calls it: its output, and one clear message with the right exit code
// for everything that can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "io/dataset/dataset.h"
#include "io/files/file.h"
#include "io/text/tokenizer.h"

namespace lynceus {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Result {
  int code = -1;
  std::string text;  // stdout and stderr
};

/// In a clean environment, because this test is an MPI program too.
Result run(const std::string& arguments, const std::string& launcher = "") {
  const std::string command =
      "env -i PATH=\"$PATH\" HOME=/tmp "
      "${OMPI_MCA_orte_tmpdir_base:+OMPI_MCA_orte_tmpdir_base=$OMPI_MCA_orte_tmpdir_base} "
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 " +
      launcher + " '" + std::string(LYNCEUS_BINARY) + "' prepare " + arguments + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "cannot start " + command};
  Result result;
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;)
    result.text.append(buffer, got);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

class PrepareTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return path(name);
  }
  void expect_refused(const std::string& arguments, int code, const std::string& message) const {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, code) << arguments << "\n" << result.text;
    EXPECT_THAT(result.text, AllOf(HasSubstr("lynceus: "), HasSubstr(message))) << arguments;
    EXPECT_THAT(result.text, Not(HasSubstr("unexpected: "))) << arguments;
  }

  const std::string photos_ = std::string(LYNCEUS_SOURCE_DIR) + "/tests/data/photos/captions.jsonl";
  const fs::path directory_ = fs::path(testing::TempDir()) / "prepare";
};

TEST_F(PrepareTest, Photographs) {
  const Result result =
      run("jsonl --input " + photos_ + " --output " + path("out") + " --train-tokenizer 400");
  ASSERT_EQ(result.code, 0) << result.text;
  EXPECT_THAT(result.text,
              testing::ContainsRegex(
                  "prepared 30 samples, 30 images \\(6 stored, [0-9.]+ KiB\\), 0 rejected"));
  const io::Dataset dataset("captions", path("out") + "/captions*.h5");
  ASSERT_EQ(dataset.size(), 30);
  EXPECT_EQ(dataset.info(0).task, "captions");
  EXPECT_EQ(dataset.media_count(0), 1);
  const std::string original =
      io::read_text(fs::path(photos_).parent_path() / "images/000000008762.jpg");
  EXPECT_EQ(dataset.read_media(4, 0), original);
  EXPECT_EQ(dataset.turns(4)[0].text, "A stoplight that is flashing green lights at cars.");

  const io::Tokenizer tokenizer(path("out") + "/tokenizer.model");
  EXPECT_EQ(tokenizer.size(), 400);
  EXPECT_EQ(tokenizer.unk_id(), 0);
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
}

TEST_F(PrepareTest, ShapesBothSplits) {
  const std::string common = "shapes --count 24 --seed 5 --output " + path("out");
  const Result train = run(common + " --train-tokenizer 320");
  ASSERT_EQ(train.code, 0) << train.text;
  EXPECT_THAT(train.text, HasSubstr("prepared 144 samples, 120 images"));
  EXPECT_THAT(train.text, testing::ContainsRegex("Counting +24 +4 +25.0 %  four"));
  const Result validation = run(common + " --split validation");
  ASSERT_EQ(validation.code, 0) << validation.text;
  for (const std::string split : {"train", "validation"})
    for (const std::string name : {"captions", "text", "Color", "Counting", "Spatial", "Others"}) {
      const io::ShardReader shard(path("out") + "/" + split + "-" + name + ".h5");
      EXPECT_EQ(shard.size(), 24);
      EXPECT_EQ(shard.info().task, name == "captions" ? "caption" : name);
      EXPECT_EQ(shard.media_count(3), name == "text" ? 0 : 1);
    }
  EXPECT_EQ(io::Tokenizer(path("out") + "/tokenizer.model").size(), 320);
  EXPECT_THAT(io::read_text(path("out") + "/corpus.txt"),
              HasSubstr("User: how many shapes are there?\nBot: one\n"));

  const Result again = run("shapes --count 24 --seed 5 --output " + path("again"));
  ASSERT_EQ(again.code, 0) << again.text;
  for (const char* name : {"train-Color.h5", "train-text.h5", "corpus.txt"})
    EXPECT_EQ(io::read_text(path("out") + "/" + name), io::read_text(path("again") + "/" + name));
}

TEST_F(PrepareTest, FilesAreReplacedOnlyWithOverwrite) {
  const std::string arguments = "shapes --count 2 --output " + path("out");
  ASSERT_EQ(run(arguments).code, 0);
  const std::string before = io::read_text(path("out") + "/train-Color.h5");
  expect_refused(arguments + " --seed 2", 2, "already exists; --overwrite replaces it");
  EXPECT_EQ(io::read_text(path("out") + "/train-Color.h5"), before);
  EXPECT_EQ(run(arguments + " --seed 2 --overwrite").code, 0);
  EXPECT_NE(io::read_text(path("out") + "/train-Color.h5"), before);
}

TEST_F(PrepareTest, ARepeatedCommandIsComplete) {
  const std::string shapes = "shapes --count 2 --train-tokenizer 320 --output " + path("out");
  ASSERT_EQ(run(shapes).code, 0);
  const auto written = fs::last_write_time(path("out") + "/train-Color.h5");
  Result again = run(shapes);
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_EQ(again.text, "already complete: 12 samples in 6 shards\n");
  EXPECT_EQ(fs::last_write_time(path("out") + "/train-Color.h5"), written);
  expect_refused("shapes --count 3 --train-tokenizer 320 --output " + path("out"), 2,
                 "train-captions.h5 already exists; --overwrite replaces it. It was prepared with: "
                 "count 2; this command has: count 3");
  expect_refused("shapes --count 2 --train-tokenizer 321 --output " + path("out"), 2,
                 "with: train-tokenizer 320; this command has: train-tokenizer 321");
  fs::remove(path("out") + "/tokenizer.model");
  expect_refused(shapes, 2, "already exists; --overwrite replaces it");
  EXPECT_EQ(run(shapes + " --overwrite").code, 0);
  EXPECT_EQ(run(shapes).code, 0);
  // A shard of another run.
  ASSERT_EQ(run("shapes --count 2 --seed 9 --output " + path("other")).code, 0);
  for (const char* name : {"/train-Color.h5", "/train-Color.h5.xxh"})
    fs::copy_file(path("other") + name, path("out") + name, fs::copy_options::overwrite_existing);
  expect_refused(shapes, 2, "train-Color.h5 is another shard than the one that was prepared");
  fs::remove(path("out") + "/train-Color.h5");
  EXPECT_EQ(run(shapes).code, 2) << "its texts and tokenizer exist";
}

TEST_F(PrepareTest, ARepeatedCommandFindsADamagedShard) {
  const std::string input = write("rows.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
  const std::string command = "jsonl --input " + input + " --output " + path("out");
  ASSERT_EQ(run(command).code, 0);
  const std::string shard = path("out") + "/rows.h5", sidecar = shard + ".xxh";
  const std::string bytes = io::read_text(shard), digest = io::read_text(sidecar);
  const std::string cure = "the dataset rows already exists; --overwrite replaces it";
  write("out/rows.h5", "");
  expect_refused(command, 3, "found 0: the file is truncated");
  expect_refused(command, 3, cure);
  std::string changed = bytes;
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  write("out/rows.h5", changed);
  expect_refused(command, 3, "metadata digest: expected ");
  write("out/rows.h5", bytes);
  EXPECT_EQ(run(command).text, "already complete: 2 samples in 1 shard\n");
  fs::remove(sidecar);
  expect_refused(command, 3, "expected the shard's digest in ");
  write("out/rows.h5.xxh", digest);
  // All shards gone: nothing to lose, they are written again.
  fs::remove(shard);
  fs::remove(sidecar);
  EXPECT_EQ(run(command).code, 0);
  EXPECT_EQ(io::read_text(shard), bytes);
}

TEST_F(PrepareTest, ATouchedInputIsRefusedWithItsDate) {
  const std::string input = write("rows.jsonl", "{\"text\": \"one\"}\n");
  const std::string command = "jsonl --input " + input + " --output " + path("out");
  const auto at = [&](int seconds) {
    fs::last_write_time(input, std::chrono::file_clock::from_sys(
                                   std::chrono::sys_seconds(std::chrono::seconds(seconds))));
  };
  at(1'000'000'000);
  ASSERT_EQ(run(command).code, 0);
  at(1'000'000'001);
  expect_refused(command, 2,
                 "prepared with: changed at 2001-09-09 01:46:40.000 UTC; this command has: changed "
                 "at 2001-09-09 01:46:41.000 UTC");
}

TEST_F(PrepareTest, ARepeatedCommandWithAnotherInputIsRefused) {
  const std::string one = write("one.jsonl", "{\"text\": \"one\"}\n");
  const std::string two = write("two.jsonl", "{\"text\": \"two\"}\n{\"text\": \"three\"}\n");
  const std::string out = " --output " + path("out");
  ASSERT_EQ(run("jsonl --input " + one + out).code, 0);
  EXPECT_EQ(run("jsonl --input " + one + out).text, "already complete: 1 sample in 1 shard\n");
  expect_refused("jsonl --input " + one + out + " --captions first", 2,
                 "prepared with: captions all; this command has: captions first");
  // With one more input the complete dataset is kept.
  const auto written = fs::last_write_time(path("out") + "/one.h5");
  const Result more = run("jsonl --input " + one + " " + two + out);
  EXPECT_EQ(more.code, 0) << more.text;
  EXPECT_THAT(more.text, HasSubstr("prepared 3 samples"));
  EXPECT_EQ(fs::last_write_time(path("out") + "/one.h5"), written);
  for (const char* launcher : {"", "mpirun --oversubscribe -n 2"})
    EXPECT_EQ(run("jsonl --input " + one + " " + two + out, launcher).text,
              "already complete: 3 samples in 2 shards\n");
  // A tokenizer would learn from both.
  expect_refused("jsonl --input " + one + " " + two + out + " --train-tokenizer 300", 2,
                 "already exists; --overwrite replaces it");
  write("one.jsonl", "{\"text\": \"changed\"}\n");
  expect_refused("jsonl --input " + one + out, 2, "one.h5 already exists; --overwrite replaces it");
  EXPECT_EQ(run("jsonl --input " + one + out + " --overwrite").code, 0);
}

TEST_F(PrepareTest, BadRowsAreCountedListedAndLimited) {
  const std::string folder = fs::path(photos_).parent_path().string();
  const std::string good = R"({"image": "images/000000008762.jpg", "caption": "lights"})";
  const std::string input =
      write("rows.jsonl", good + "\n" + good + "\n" + R"({"image": "no.jpg", "caption": "x"})" +
                              "\n{broken\n" + good + "\n");
  const std::string arguments = "jsonl --input " + input + " --root " + folder + " --output ";
  const Result some = run(arguments + path("some") + " --max-bad 0.5");
  ASSERT_EQ(some.code, 0) << some.text;
  EXPECT_THAT(some.text,
              testing::ContainsRegex(
                  "prepared 3 samples, 3 images \\(1 stored, [0-9.]+ KiB\\), 2 rejected"));
  EXPECT_THAT(
      io::read_text(path("some") + "/rows-rejects.jsonl"),
      AllOf(HasSubstr(R"({"row": 3, "reject": "missing picture", "problem": ")"),
            HasSubstr("rows.jsonl:3: key image"), HasSubstr("no.jpg"), HasSubstr("rows.jsonl:4")));

  expect_refused(arguments + path("none") + " --max-bad 0", 3,
                 "1 of 5 rows are unusable, more than --max-bad 0 allows");
  EXPECT_FALSE(fs::exists(path("none") + "/rows.h5"));
  EXPECT_TRUE(fs::exists(path("none") + "/rows-rejects.jsonl"));
  EXPECT_FALSE(fs::exists(path("none") + "/rows.unfinished"));
}

TEST_F(PrepareTest, OneBadPictureDoesNotStopASmallFile) {
  const std::string folder = fs::path(photos_).parent_path().string();
  const std::string good = R"({"image": "images/000000008762.jpg", "caption": "lights"})";
  const auto rows = [&](int bad) {
    std::string text;
    for (int i = 0; i < 82; ++i)
      text +=
          (i % 20 == 7 && i / 20 < bad ? R"({"image": "no.jpg", "caption": "x"})" : good) + "\n";
    return text;
  };
  const std::string call = "jsonl --input " + path("rows.jsonl") + " --root " + folder;
  write("rows.jsonl", rows(2));
  const Result few = run(call + " --output " + path("few"));
  EXPECT_EQ(few.code, 0) << few.text;
  EXPECT_THAT(few.text, HasSubstr("prepared 80 samples, 80 images"));
  EXPECT_THAT(few.text, HasSubstr("2 rejected"));
  write("rows.jsonl", rows(3));
  expect_refused(call + " --output " + path("more"), 3,
                 "3 of 82 rows are unusable, more than --max-bad 0.01 allows");
}

TEST_F(PrepareTest, AForgottenRootIsSaid) {
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += R"({"image": "no.jpg", "caption": "x"})"
            "\n";
  expect_refused("jsonl --input " + write("rows.jsonl", text) + " --output " + path("none"), 3,
                 "stopped at row 3: all 3 rows read so far are unusable, more than --max-bad 0.01 "
                 "allows (3 missing picture)");
}

TEST_F(PrepareTest, WrongCallsSayWhatIsWrong) {
  const std::string out = " --output " + path("out");
  expect_refused("", 2,
                 "expected a source as the first argument, one of jsonl, folder, coco, llava");
  expect_refused("shape" + out, 2, "found 'shape'");
  expect_refused("video" + out, 2, "prepare video: expected --input FILE, found none");
  expect_refused("shapes", 2, "expected --output DIR");
  expect_refused("shapes --count 0" + out, 2, "--count: expected 1 or more, found 0");
  expect_refused("shapes --count many" + out, 2, "count");
  expect_refused("shapes --size 20" + out, 2, "--size: expected 28 to 4096 pixels, found 20");
  expect_refused("shapes --split test" + out, 2, "split");
  expect_refused("shapes --input x" + out, 2, "input");
  expect_refused("shapes 5" + out, 2, "unexpected argument '5'");
  expect_refused("shapes --split validation --train-tokenizer 300" + out, 2,
                 "expected --split train");
  expect_refused("shapes --shard-gib 0" + out, 2, "--shard-gib");
  expect_refused("jsonl" + out, 2, "expected --input FILE");
  expect_refused("jsonl --input a/x.jsonl b/x.jsonl" + out, 2, "two files are named x");
  expect_refused("jsonl --max-bad 2 --input x" + out, 2, "--max-bad");
}

TEST_F(PrepareTest, UnusableFilesSayWhatIsWrong) {
  const std::string out = " --output " + path("out");
  expect_refused("jsonl --input " + path("absent.jsonl") + out, 3, "absent.jsonl");
  expect_refused("jsonl --input " + write("empty.jsonl", "") + out, 3,
                 "empty.jsonl: expected at least one sample, found none\n");
  expect_refused("jsonl --input " + write("bad.jsonl", "{}\n") + " --output " + path("bad"), 3,
                 "bad.jsonl: expected at least one sample, found none: 1 of 1 rows are unusable (1 "
                 "malformed row); they are listed in " +
                     path("bad/bad-rejects.jsonl") + "; the first is " + path("bad.jsonl:1"));
  expect_refused(
      "text --input " + path("empty.jsonl") + " " + write("a.json", "[{}]") + " " +
          write("b.json", R"([{"instruction": "x", "output": ""}])") + " --output " + path("both"),
      3,
      "empty.jsonl and 2 other inputs: expected at least one sample, found none: 2 of 2 rows are "
      "unusable (1 empty text, 1 malformed row); they are listed in " +
          path("both/*-rejects.jsonl") + "; the first is " + path("a.json") + ": [0]");
  expect_refused("jsonl --root " + path("absent") + " --input " + photos_ + out, 3, "--root");
  expect_refused("shapes --count 1 --output " + write("file", "x") + "/out", 4, "--output");
  expect_refused("shapes --count 4 --train-tokenizer 9000" + out, 3, "9000 pieces");
  EXPECT_FALSE(fs::exists(path("out"))) << "an abandoned run left something";
}

TEST_F(PrepareTest, ShapesOnOneRankOnly) {
  const Result result =
      run("shapes --count 1 --output " + path("out"), "mpirun --oversubscribe -n 2");
  EXPECT_EQ(result.code, 2) << result.text;
  EXPECT_THAT(result.text, HasSubstr("prepare shapes: expected one rank, found 2"));
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(PrepareTest, HelpNamesWhatIsThere) {
  const Result all = run("--help");
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.text, AllOf(HasSubstr("jsonl"), HasSubstr("shapes"), HasSubstr("video")));
  EXPECT_THAT(run("shapes --help").text, AllOf(HasSubstr("--count"), HasSubstr("--output")));
  EXPECT_THAT(run("jsonl --help").text, AllOf(HasSubstr("--max-bad"), Not(HasSubstr("--count"))));
}

}  // namespace
}  // namespace lynceus
