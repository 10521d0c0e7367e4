// MME: the rules at their corners, scores that follow from the rows by hand, and refused folders.
#include "evaluate/benchmarks/mme.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"
#include "evaluate/benchmarks/mme_files.h"
#include "evaluate/benchmarks/mme_rules.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::data_folder;
using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using std::filesystem::path;
using testing::AllOf;
using testing::HasSubstr;

struct Corner {
  const char* answer;
  const char* official;
  const char* lmms_eval;
  const char* vlmevalkit;
};

TEST(MmeRules, ReadTheCorners) {
  const Corner corners[] = {
      {"yes", "yes", "yes", "yes"},
      {"No.", "no", "no", "no"},
      {"YES!", "yes", "yes", "yes"},
      {"", "other", "other", "other"},
      {" ", "other", "other", "other"},
      {"yes and no", "yes", "yes", "other"},
      {"no, yes", "no", "no", "other"},
      {"eyes are blue", "yes", "yes", "other"},  // yes in another word
      {"know", "no", "no", "other"},             // no in another word
      {"noon", "no", "no", "other"},
      {"not sure", "no", "no", "other"},
      {"The answer is yes", "other", "other", "yes"},
      {"It is not. No", "other", "other", "no"},
      {" Yes", "yes", "yes", "yes"},
      {"  yes", "other", "yes", "yes"},  // spaces count as characters
      {"...no", "other", "no", "no"},
      {"y", "other", "yes", "other"},
      {"N.", "other", "no", "other"},
      {"y.e.s", "other", "yes", "yes"},
      {"\u201Cyes\u201D", "yes", "yes", "other"},  // characters, not bytes
      {"\u201C\u201CNo", "no", "no", "other"},
  };
  ASSERT_EQ(mme_rules().size(), 3u);
  for (const Corner& corner : corners) {
    EXPECT_STREQ(name_of(mme_rules()[0].parse(corner.answer)), corner.official) << corner.answer;
    EXPECT_STREQ(name_of(mme_rules()[1].parse(corner.answer)), corner.lmms_eval) << corner.answer;
    EXPECT_STREQ(name_of(mme_rules()[2].parse(corner.answer)), corner.vlmevalkit) << corner.answer;
  }
}

/// Two lines of an image, with these answers; Yes is right for the first, No for the second.
std::string image(const std::string& name, const std::string& first, const std::string& second) {
  return fmt::format("{0}.jpg\tIs it {0}?\tYes\t{1}\n{0}.jpg\tIs it not {0}?\tNo\t{2}\n", name,
                     first, second);
}

/// A folder with an image in each task, both answers right.
path whole_folder() {
  const path folder = empty_folder();
  for (const MmeTask& task : mme_tasks())
    write(folder / (std::string(task.name) + ".txt"), image("a", "yes", "no"));
  return folder;
}

TEST(Mme, PublishedTasks) {
  int64_t questions = 0;
  for (const MmeTask& task : mme_tasks()) questions += task.questions;
  EXPECT_EQ(mme_tasks().size(), 14u);
  EXPECT_EQ(questions, 2374);
}

TEST(Mme, ScoresFollowFromTheRows) {
  const path folder = whole_folder();
  // 8 answers, right are 1, 2, 3, 5 and 8: accuracy 5/8; both right: a of 4 images.
  write(folder / "count.txt", image("a", "Yes, it is", "no") + image("b", "Eyes", "yes and no") +
                                  image("c", "yes", "") + image("d", "The yes", "Know"));
  // Windows line ends, and no line end at the end.
  write(folder / "OCR.txt", "x.jpg\tq\tYES\tNO\r\nx.jpg\tr\tno\tno");
  const Evaluation result = evaluate_mme(folder, false);
  const io::Json json = parsed(to_json(result));
  const io::Json count = json.at("tasks").at("count");
  EXPECT_DOUBLE_EQ(count.at("accuracy").number(), 5.0 / 8);
  EXPECT_DOUBLE_EQ(count.at("accuracy_plus").number(), 1.0 / 4);
  EXPECT_DOUBLE_EQ(count.at("score").number(), 87.5);
  EXPECT_EQ(count.at("other").integer(), 2);
  EXPECT_DOUBLE_EQ(json.at("tasks").at("OCR").at("score").number(), 50);
  EXPECT_DOUBLE_EQ(json.at("perception").number(), 8 * 200 + 87.5 + 50);
  EXPECT_DOUBLE_EQ(json.at("cognition").number(), 4 * 200);
  EXPECT_FALSE(json.at("complete").boolean());
  ASSERT_EQ(result.warnings.size(), 1u);
  EXPECT_THAT(result.warnings[0], HasSubstr("found existence 2 of 60, count 8 of 60, "));
  ASSERT_EQ(result.items.size(), 13u * 2 - 2 + 8 + 2);
  EXPECT_EQ(result.items[0].id, "existence/a.jpg#1");
  EXPECT_EQ(result.items[1].id, "existence/a.jpg#2");
  EXPECT_EQ(result.items[1].media, "existence/a.jpg");
}

TEST(Mme, OtherRulesStandBesideWithTheItemsThatDiffer) {
  const path folder = whole_folder();
  write(folder / "count.txt", image("a", "yes", "no") + image("b", "yes and no", "It is not. No"));
  const io::Json json = parsed(to_json(evaluate_mme(folder, false)));
  EXPECT_DOUBLE_EQ(json.at("tasks").at("count").at("score").number(), 75 + 50);
  const io::Json other = json.at("rules").at(1);
  EXPECT_EQ(other.at("name").string(), "vlmevalkit");
  EXPECT_DOUBLE_EQ(other.at("tasks").at("count").number(), 75 + 50);
  ASSERT_EQ(other.at("differing").integer(), 2);
  const io::Json item = other.at("differing_items").at(0);
  EXPECT_EQ(item.at("id").string(), "count/b.jpg#1");
  EXPECT_EQ(item.at("official").string(), "yes");
  EXPECT_EQ(item.at("vlmevalkit").string(), "other");
  EXPECT_EQ(json.at("rules").at(0).at("differing").integer(), 0);
  EXPECT_EQ(json.at("protocol").at("parse_rule").at("name").string(), "official");
}

TEST(Mme, MissingTasksAreRefusedUnlessAsked) {
  const path folder = whole_folder();
  std::filesystem::remove(folder / "scene.txt");
  EXPECT_THAT(
      refusal([&] { evaluate_mme(folder, false); }),
      HasSubstr("expected the answers of the task scene, found none; --partial leaves out"));
  const io::Json json = parsed(to_json(evaluate_mme(folder, true)));
  EXPECT_TRUE(json.at("perception").is_null());
  EXPECT_DOUBLE_EQ(json.at("cognition").number(), 800);
  EXPECT_EQ(json.at("missing_tasks").dump(), R"(["scene"])");
}

TEST(Mme, RefusesOtherFoldersAndRows) {
  const path folder = empty_folder();
  const auto text = [&] { return refusal([&] { evaluate_mme(folder, false); }); };
  EXPECT_THAT(text(), HasSubstr("unknown layout: expected existence.txt"));
  EXPECT_THAT(refusal([&] { evaluate_mme(folder / "absent", false); }),
              HasSubstr("expected a folder with a file of answers for each task of MME"));
  for (const MmeTask& task : mme_tasks())
    write(folder / (std::string(task.name) + ".txt"), image("a", "yes", "no"));
  write(folder / "readme.txt", "text");
  EXPECT_THAT(evaluate_mme(folder, false).warnings,
              testing::Contains(HasSubstr("not read: readme.txt")));
  write(folder / "count.txt", "a.jpg\tq\tYes\n" + image("a", "yes", "no"));
  write(folder / "color.txt", "a.jpg\tq\tMaybe\tyes\na.jpg\tr\tNo\tan\tanswer\n\n");
  write(folder / "scene.txt", image("a", "yes", "no") + "b.jpg\tq\tYes\tyes\n");
  write(folder / "OCR.txt", "a.jpg\tq\tYes\tyes\nb.jpg\tq\tYes\tyes\n");
  write(folder / "posters.txt", image("a", "yes", "no") + image("a", "no", "no"));
  write(folder / "artwork.txt", "");
  write(folder / "landmark.txt", "a.jpg\tq\tYes\t\xFF\na.jpg\tr\tNo\tno\rno\n");
  EXPECT_THAT(
      text(),
      AllOf(HasSubstr("count.txt:1: expected 4 cells with tabs between them"),
            HasSubstr("color.txt:1: third cell: expected Yes or No, found 'Maybe'"),
            HasSubstr("color.txt:2: expected 4 cells with tabs between them (image, question, Yes "
                      "or No, answer), found 5"),
            HasSubstr("color.txt:3: expected 4 cells"),
            HasSubstr("scene.txt: expected two lines for each image, found 3 lines"),
            HasSubstr("OCR.txt:2: expected the second question of image 'a.jpg', found image"),
            HasSubstr("posters.txt:3: expected each id once, found 'a.jpg: Is it a?' again"),
            HasSubstr("artwork.txt: expected lines with answers, found none"),
            HasSubstr("landmark.txt:1: expected UTF-8, found other bytes"),
            HasSubstr("landmark.txt:2: expected an answer in one line, found a carriage return")));
}

/// The rows of whole_folder() as objects, in an order in which no image has its rows together.
std::string as_rows() {
  std::string first, second;
  for (const MmeTask& task : mme_tasks()) {
    const auto row = [&](const char* question, const char* truth, const char* answer) {
      return fmt::format(
          R"({{"category": "{}", "image": "a.jpg", "question": "{}", "answer": "{}", )"
          R"("answer_predicted": "{}"}})"
          "\n",
          task.name, question, truth, answer);
    };
    first += row("Is it a?", "Yes", "yes");
    second += row("Is it not a?", "No", "no");
  }
  return first + second;
}

TEST(Mme, ReadsRowsAndWritesResultFiles) {
  const path folder = whole_folder();
  const path file = write(folder / "rows" / "mme.jsonl", as_rows());
  const Evaluation result = evaluate_mme(file, false, folder / "written");
  EXPECT_DOUBLE_EQ(parsed(to_json(result)).at("perception").number(), 2000);
  EXPECT_EQ(result.items[1].id, "existence/a.jpg#2");
  for (const MmeTask& task : mme_tasks()) {
    const std::string name = std::string(task.name) + ".txt";
    EXPECT_EQ(io::read_text(folder / "written" / name), io::read_text(folder / name));
  }
  write(file, as_rows() +
                  R"({"category": "OCR", "image": "b.jpg", "question": "q", "answer": "No", )"
                  R"("answer_predicted": "n\to\n"})"
                  "\n"
                  R"({"category": "ocr", "image": "b.jpg", "question": "q", "answer": "No", )"
                  R"("answer_predicted": "no"})"
                  "\n"
                  R"({"category": "OCR", "image": "c.jpg", "question": "q", "answer": "Maybe"})");
  EXPECT_THAT(refusal([&] { evaluate_mme(file, false); }),
              AllOf(HasSubstr("mme.jsonl:29: expected two questions of image 'b.jpg' in the task "
                              "OCR, found 1"),
                    HasSubstr("mme.jsonl:30: key category: expected a task of MME, found 'ocr'"),
                    HasSubstr("mme.jsonl:31: the key 'answer_predicted' is missing")));
}

TEST(Mme, AnswersBecomeOneLineAndImagesKeepTheirOrder) {
  const auto row = [](const char* image, const char* question, const char* answer) {
    return fmt::format(R"({{"category": "OCR", "image": "{}", "question": "{}", "answer": "No", )"
                       R"("answer_predicted": "{}"}})"
                       "\n",
                       image, question, answer);
  };
  const path file =
      write(empty_folder() / "mme.jsonl", row("b", "1", "n\\to\\n") + row("a", "1", "yes") +
                                              row("a", "2", "yes") + row("b", "2", "no"));
  const MmeAnswers answers = read_mme(file, true);
  const std::vector<MmeRow>& rows = answers.tasks.at(0).rows;
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].answer, "n o ");
  EXPECT_EQ(rows[0].image + rows[1].image + rows[2].image + rows[3].image, "bbaa");
  EXPECT_EQ(answers.missing.size(), 13u);
}

/// The published figures of LaVIN, where its result files are given.
TEST(Mme, ReproducesThePublishedScoresOfLavin) {
  const auto folder = data_folder("mme/LaVIN");
  if (!folder) GTEST_SKIP() << "LYNCEUS_DATA_DIR has no mme/LaVIN";
  const io::Json json = parsed(to_json(evaluate_mme(*folder, false)));
  EXPECT_NEAR(json.at("perception").number(), 963.61, 0.005);
  EXPECT_NEAR(json.at("cognition").number(), 249.64, 0.005);
  EXPECT_TRUE(json.at("complete").boolean());
}

}  // namespace
}  // namespace lynceus::evaluate
