// `lynceus prepare` started again after it was killed, and inputs that it names rather than reads:
// those without samples, lists of rejected rows, inputs given twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "io/dataset/dataset.h"
#include "prepare_fixture.h"

namespace lynceus::cli_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class RestartTest : public PrepareSourcesTest {
 protected:
  RestartTest() {
    const std::string photos = io::read_text(kPhotos / "captions.jsonl");
    std::string text;
    for (int i = 0; i < kTimes; ++i)
      text += photos + "{\"image\": \"images/absent.jpg\", \"caption\": \"x\"}\n";
    input_ = write("rows.jsonl", text);
  }
  Arguments arguments(const std::string& output) const {
    return {"jsonl",     "--input",   input_, "--root",      kPhotos.string(), "--output",
            out(output), "--max-bad", "0.5",  "--shard-gib", "0.0001"};
  }
  /// Starts a run and kills it when some shards are complete.
  void run_and_kill(const std::string& output) const {
    Program program(Arguments{"prepare"} + arguments(output));
    const fs::path journal = fs::path(out(output)) / "rows.unfinished";
    ASSERT_TRUE(
        program.wait_until([&] { return fs::exists(journal) && lines_of(journal).size() > 10; }));
    kill(program.ranks().at(0), SIGKILL);
    EXPECT_EQ(program.wait().code, -1) << "it ended before it could be killed";
    ASSERT_TRUE(fs::exists(journal));
  }
  /// `knows_counts`: the journal counts stored media, which a complete dataset then records.
  void expect_completed(const std::string& output, const std::string& said,
                        bool knows_counts = true) const {
    const Output again = prepare(arguments(output));
    ASSERT_EQ(again.code, 0) << again.all();
    EXPECT_THAT(again.out, AllOf(HasSubstr(said), HasSubstr("prepared 360 samples, 360 images")));
    auto expected = contents(out("whole"));
    auto found = contents(out(output));
    EXPECT_EQ(names(out(output)), names(out("whole")));
    if (!knows_counts) found["rows.finished"] = expected["rows.finished"];
    EXPECT_TRUE(found == expected) << "the bytes differ";
  }

  static constexpr int kTimes = 12;
  std::string input_;
};

TEST_F(RestartTest, AKilledRunContinues) {
  const Output whole = prepare(arguments("whole"));
  ASSERT_EQ(whole.code, 0) << whole.all();
  ASSERT_GT(names(out("whole")).size(), 60u);
  EXPECT_THAT(whole.out, HasSubstr("read 84 rows, rejected 12: 12 missing picture"));

  run_and_kill("killed");
  const fs::path killed = out("killed");
  for (const char* copy : {"torn", "older", "holed", "listless", "other"})
    fs::copy(killed, out(copy));
  const auto written = fs::last_write_time(killed / "rows.h5");
  expect_completed("killed", "rows: continuing after ");
  EXPECT_EQ(fs::last_write_time(killed / "rows.h5"), written) << "a complete shard was redone";
  const Output third = prepare(arguments("killed"));
  EXPECT_EQ(third.code, 0) << third.all();
  EXPECT_THAT(third.out, testing::StartsWith("already complete: 360 samples in "));

  // The last line of the journal is incomplete.
  const fs::path journal = fs::path(out("torn")) / "rows.unfinished";
  const std::string text = io::read_text(journal);
  std::ofstream(journal, std::ios::binary) << text.substr(0, text.size() - 20);
  expect_completed("torn", "rows: continuing after ");
  // Version 0.1.0 did not count stored media.
  const fs::path older = fs::path(out("older")) / "rows.unfinished";
  const std::string counts = io::read_text(older);
  const std::string uncounted =
      std::regex_replace(counts, std::regex("\"stored_media\": ?[0-9]+, ?"), "");
  EXPECT_LT(uncounted.size(), counts.size());
  std::ofstream(older, std::ios::binary) << uncounted;
  expect_completed("older", "rows: continuing after ", /*knows_counts=*/false);
  // A shard is missing: the shards before it are kept.
  fs::remove(fs::path(out("holed")) / "rows-2.h5");
  expect_completed("holed", "samples in 2 complete shards");
  // The list of rejected rows is missing, so the run cannot continue.
  fs::remove(fs::path(out("listless")) / "rows-rejects.jsonl");
  const Output anew = prepare(arguments("listless"));
  EXPECT_EQ(anew.code, 2) << anew.all();

  std::ofstream(fs::path(out("other")) / "rows-99.h5.tmp.blobs") << "left by the killed run";
  const Output other = prepare(arguments("other") + Arguments{"--captions", "first"});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("unfinished run of another command"));
  const Output over = prepare(arguments("other") + Arguments{"--captions", "first", "--overwrite"});
  EXPECT_EQ(over.code, 0) << over.all();
  EXPECT_EQ(io::Dataset("x", out("other") + "/rows*.h5").size(), 72);
  EXPECT_THAT(names(out("other")), testing::Not(testing::Contains(HasSubstr("tmp"))));
}

TEST_F(RestartTest, AnInputThatChangesDuringTheRunIsNotComplete) {
  Program program(Arguments{"prepare"} + arguments("grown"));
  const fs::path journal = fs::path(out("grown")) / "rows.unfinished";
  ASSERT_TRUE(
      program.wait_until([&] { return fs::exists(journal) && lines_of(journal).size() > 10; }));
  kill(program.ranks().at(0), SIGSTOP);
  std::ofstream(input_, std::ios::app) << io::read_text(kPhotos / "captions.jsonl");
  kill(program.ranks().at(0), SIGCONT);
  const Output first = program.wait();
  ASSERT_EQ(first.code, 0) << first.all();
  EXPECT_THAT(first.out, HasSubstr(input_ + " changed while it was read"));

  const Output again = prepare(arguments("grown"));
  EXPECT_EQ(again.code, 2) << again.all();
  EXPECT_THAT(again.err, AllOf(HasSubstr("already exists; --overwrite"), HasSubstr(" bytes")));
  const Output anew = prepare(arguments("grown") + Arguments{"--overwrite"});
  ASSERT_EQ(anew.code, 0) << anew.all();
  EXPECT_THAT(anew.out, AllOf(HasSubstr("prepared 390 samples"), Not(HasSubstr("changed while"))));
}

TEST_F(PrepareSourcesTest, ATokenizerLearnsTheSameAfterARestart) {
  // The first run fails at the tokenizer, after complete shards; the second uses their texts.
  const Arguments arguments = {"jsonl", "--input", (kPhotos / "captions.jsonl").string()};
  const Output failed =
      prepare(arguments + Arguments{"--output", out("t"), "--train-tokenizer", "50000"});
  EXPECT_EQ(failed.code, 3) << failed.all();
  EXPECT_THAT(names(out("t")), testing::Contains("captions.unfinished"));
  const Output again =
      prepare(arguments + Arguments{"--output", out("t"), "--train-tokenizer", "400"});
  ASSERT_EQ(again.code, 0) << again.all();
  const Output whole =
      prepare(arguments + Arguments{"--output", out("w"), "--train-tokenizer", "400"});
  ASSERT_EQ(whole.code, 0) << whole.all();
  EXPECT_EQ(contents(out("t")), contents(out("w")));
}

TEST_F(PrepareSourcesTest, AnInputWithoutSamplesHasNoShard) {
  const Output output = prepare({"jsonl", "--input", write("empty.jsonl", ""),
                                 write("full.jsonl", R"({"text": "x"})"), "--output", out("o")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.out, AllOf(HasSubstr("o/empty "), HasSubstr(" no samples\n  read 0 rows"),
                                HasSubstr("o/full.h5 "), Not(HasSubstr("empty.h5"))));
  EXPECT_THAT(output.err, HasSubstr("prepare full  1 row in "));
  EXPECT_THAT(output.out, HasSubstr("prepared 1 samples, 0 images")) << "scripts look for it";
}

TEST_F(PrepareSourcesTest, ListsOfRejectedRowsAreNoInput) {
  fs::create_directories(out("both"));
  write("both/x.jsonl", "{\"text\": \"x\"}\n{}\n");
  write("both/my-rejects.jsonl", "{\"text\": \"rejects of mine\"}\n");
  const Arguments arguments = {"jsonl", "--input", out("both") + "/*.jsonl", "--output",
                               out("both")};
  const Output first = prepare(arguments);
  ASSERT_EQ(first.code, 0) << first.all();
  EXPECT_THAT(first.out, HasSubstr("prepared 2 samples"));
  EXPECT_THAT(first.all(), Not(HasSubstr("left out")));
  const Output again = prepare(arguments);
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_THAT(again.out, HasSubstr("already complete: 2 samples in 2 shards"));
  EXPECT_THAT(again.all(),
              HasSubstr("both/x-rejects.jsonl is left out: it is a list of rejected rows"));
  const Output only =
      prepare({"jsonl", "--input", out("both") + "/x-rejects.jsonl", "--output", out("o")});
  EXPECT_EQ(only.code, 2) << only.all();
  EXPECT_THAT(only.err, HasSubstr("expected a corpus, found the list of rejected rows"));
}

TEST_F(PrepareSourcesTest, AnInputThatIsReadTwiceIsSaid) {
  write("x.jsonl", R"({"text": "x"})");
  write("z.jsonl", R"({"text": "x"})");
  fs::create_symlink("x.jsonl", folder_ / "y.jsonl");
  Output output = prepare(
      {"jsonl", "--input", out("x.jsonl"), out("y.jsonl"), out("z.jsonl"), "--output", out("o")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err,
              HasSubstr("y.jsonl is the same as " + out("x.jsonl") + ": its rows are read twice"));
  EXPECT_THAT(output.err, Not(HasSubstr("z.jsonl is")));
  fs::create_directories(out("photos/sub/below"));
  fs::copy(fs::path(root_) / "000000008762.jpg", folder_ / "photos/sub/below/1.jpg");
  write("photos/sub/below/1.txt", "x");
  output = prepare({"folder", "--input", out("photos"), out("photos/sub"), "--output", out("p")});
  ASSERT_EQ(output.code, 0) << output.all();
  EXPECT_THAT(output.err,
              HasSubstr("photos/sub is inside " + out("photos") + ": its rows are read"));
}

}  // namespace
}  // namespace lynceus::cli_test
