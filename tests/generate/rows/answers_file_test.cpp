// The file of answers: its lines are JSON whatever the rows are, and a start that ended at any
// moment leaves what the next one continues.
#include "generate/rows/answers_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "io/files/digest.h"
#include "io/files/json.h"

namespace lynceus::generate {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

Row row_of(const std::string& json, const std::string& problem = "") {
  Row row;
  row.json = json;
  row.problem = problem;
  return row;
}

/// The line of a row whose first option is the answer.
std::string line_of(Row row) {
  row.options = {"red", "blue"};
  RowAnswer answer;
  answer.answers = {{{5}, true, 1, -1, -1}, {{6}, true, 1, -2, -2}};
  static const io::Tokenizer tokenizer(fs::path(LYNCEUS_SOURCE_DIR) /
                                       "tests/data/tokenizer/test_model.model");
  return answered_line(row, answer, tokenizer, /*with_scores=*/false);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class AnswersFile : public testing::Test {
 protected:
  AnswersFile() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  AnswerOutput output(int64_t seed = 1) const { return {file_, {{"seed", seed}}}; }
  /// A start that has answered these rows and was then killed.
  void answer(const std::vector<size_t>& some, int replica = 0) const {
    AnswerOutput started = output();
    started.begin(rows_, false);
    started.open_part(replica);
    for (const size_t row : some) started.add(row, line_of(rows_[row]));
  }

  const fs::path folder_ = fs::path(testing::TempDir()) / "answers-file";
  const fs::path file_ = folder_ / "a.jsonl", part_ = folder_ / "a.jsonl.partial",
                 card_ = folder_ / "a.jsonl.card.json";
  const std::vector<Row> rows_ = {row_of(R"({"question": "a"})"), row_of(R"({"question": "b"})"),
                                  row_of(R"({"question": "a"})")};
};

TEST_F(AnswersFile, LinesAreJsonWhateverTheRowIs) {
  for (const char* json : {"{}", "{ }", R"({"a": "{"})", R"({"a":1 })"}) {
    const io::Json line = io::Json::parse(line_of(row_of(json)), json);
    EXPECT_EQ(line.at("answer_predicted").string(), "red");
    EXPECT_EQ(line.size(), io::Json::parse(json, json).size() + 2);
  }
}

TEST_F(AnswersFile, RejectedRowsAreJsonWhateverTheRowIs) {
  const std::vector<Row> rows = {row_of("{\"question\": \"\xff\"", "bad \xfe text"),
                                 row_of("", "?")};
  AnswerOutput made = output();
  made.begin(rows, false);
  EXPECT_EQ(made.finish(rows, {{0, rows[0].problem}, {1, "?"}}), 0u);
  const std::vector<std::string> lines = lines_of(file_.string() + ".rejected.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(io::Json::parse(lines[0], "line").at("input").string(), "{\"question\": \"\uFFFD\"");
  EXPECT_FALSE(io::Json::parse(lines[1], "line").find("input"));
}

TEST_F(AnswersFile, EveryStartKeepsTheLinesOfEarlierOnes) {
  answer({2});
  answer({0}, 3);
  AnswerOutput last = output();
  const AnsweredRows kept = last.begin(rows_, false);
  EXPECT_THAT(kept, ElementsAre(Pair(0, line_of(rows_[0])), Pair(2, line_of(rows_[2]))));
  last.open_part(0);
  last.add(1, line_of(rows_[1]));
  last.close_part();
  EXPECT_EQ(last.finish(rows_, {}), 3u);
  EXPECT_THAT(lines_of(file_),
              ElementsAre(line_of(rows_[0]), line_of(rows_[1]), line_of(rows_[2])));
  EXPECT_EQ(io::Json::read(card_).at("answers_digest").string(), io::digest_file(file_).hex());
  EXPECT_FALSE(fs::exists(part_));
}

// Killed while the finished file and its card were written, in any order.
TEST_F(AnswersFile, AStartThatEndedWhileItFinishedIsContinued) {
  answer({0, 1, 2});
  const fs::path copy = folder_ / "copy";
  fs::copy(part_, copy);
  ASSERT_EQ(output().finish(rows_, {}), 3u);
  const std::vector<std::string> finished = lines_of(file_);
  for (const bool has_file : {false, true})
    for (const bool has_card : {false, true}) {
      if (has_file && !has_card) continue;  // the card is written first
      SCOPED_TRACE(testing::Message() << "file " << has_file << ", card " << has_card);
      fs::create_directory(part_);
      fs::copy(copy, part_);
      if (!has_file) fs::remove(file_);
      if (!has_card) fs::remove(card_);
      AnswerOutput again = output();
      EXPECT_EQ(again.begin(rows_, false).size(), 3u);
      EXPECT_EQ(again.finish(rows_, {}), 3u);
      EXPECT_EQ(lines_of(file_), finished);
    }
}

TEST_F(AnswersFile, TheCardIsThereBeforeTheFile) {
  answer({0, 1, 2});
  fs::create_directories(card_ / "occupied");  // so the card cannot be written
  EXPECT_ANY_THROW(output().finish(rows_, {}));
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_TRUE(fs::exists(part_ / "replica-0.jsonl"));
}

TEST_F(AnswersFile, LinesWithoutACardAreOfUnknownSettings) {
  answer({0, 1});
  fs::remove(part_ / "card.json");
  AnswerOutput next = output();
  EXPECT_THAT(next.begin(rows_, false), IsEmpty());
  EXPECT_EQ(next.finish(rows_, {}), 0u);
  EXPECT_THAT(lines_of(file_), IsEmpty());
}

TEST_F(AnswersFile, LinesOfOtherSettingsAreRefusedOrRemoved) {
  answer({0, 1});
  EXPECT_THROW(output(2).begin(rows_, false), UsageError);
  EXPECT_EQ(output(1).begin(rows_, false).size(), 2u);
  EXPECT_THAT(output(2).begin(rows_, true), IsEmpty());
}

}  // namespace
}  // namespace lynceus::generate
