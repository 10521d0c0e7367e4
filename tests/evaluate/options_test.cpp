// Choices by likelihood, and the questions of MME in the folders of its authors.
#include "evaluate/benchmarks/options.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"
#include "core/text/base64.h"
#include "evaluate/benchmarks/mme_questions.h"
#include "io/files/file.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using std::filesystem::path;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kRows =
    // The long option has the better mean, the short one the better sum.
    R"({"question": "a?", "options": ["short", "a long one"], "answer": "a long one", "class": "x",)"
    R"( "answer_predicted": "a long one", "option_scores": [{"sum": -2, "length": 1}, {"sum": -3, "length": 3}]}
)"
    // Of equal ones the first. The answer by its number, and as a list.
    R"({"question": "b?", "options": ["a", "b", "c", "d"], "answer": 1, "class": "y",)"
    R"( "answer_predicted": "a", "option_scores": [{"sum": -1, "length": 1}, {"sum": -1, "length": 1}, {"sum": -4, "length": 2}, {"sum": -9, "length": 1}]}
{"question": "c?", "options": [" a", "b"], "answer": ["a"], "answer_predicted": "a", "option_scores": [{"sum": -1, "length": 2}, {"sum": -2, "length": 2}]}
)";

TEST(Options, AreChosenByMeanAndBySum) {
  const path file = write(empty_folder() / "answers.jsonl", kRows);
  const Evaluation result = evaluate_options({file});
  const io::Json json = parsed(to_json(result));
  EXPECT_EQ(json.at("questions").integer(), 3);
  EXPECT_DOUBLE_EQ(json.at("accuracy").number(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(json.at("accuracy_by_sum").number(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(json.at("chance").number(), (0.5 + 0.25 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(json.at("classes").at("x").at("accuracy").number(), 1);
  EXPECT_DOUBLE_EQ(json.at("classes").at("y").at("accuracy").number(), 0);
  EXPECT_THAT(json.at("protocol").at("parse_rule").at("text").string(),
              HasSubstr("mean log-probability"));
  EXPECT_EQ(result.items[0].answer, "a long one");
  EXPECT_EQ(result.items[1].reference, "b");
  EXPECT_FALSE(*result.items[1].right);
  EXPECT_THAT(to_json(result.items[0]), HasSubstr("\"right_by_sum\": false"));
}

TEST(Options, RefusesWhatItCannotScore) {
  const path folder = empty_folder();
  const auto refused = [&](const std::string& members) {
    const path file = write(folder / "answers.jsonl", "{\"options\": [\"a\", \"b\"], " + members +
                                                          ", \"answer_predicted\": \"a\"}\n");
    return refusal([&] { evaluate_options({file}); });
  };
  const std::string scores =
      R"("option_scores": [{"sum": -1, "length": 1}, {"sum": -2, "length": 1}])";
  EXPECT_EQ(refused(R"("answer": "a", )" + scores), "");
  EXPECT_THAT(refused(R"("answer": "c", )" + scores), HasSubstr("expected one of the options"));
  EXPECT_THAT(refused(R"("answer": 2, )" + scores), HasSubstr("answer"));
  EXPECT_THAT(refused(R"("answer": "a")"), HasSubstr("the key 'option_scores' is missing"));
  EXPECT_THAT(refused(R"("answer": "a", "option_scores": [{"sum": -1, "length": 1}])"),
              HasSubstr("of 2 options, found 1"));
  EXPECT_THAT(
      refused(
          R"("answer": "a", "option_scores": [{"sum": -3, "length": 1}, {"sum": -2, "length": 1}])"),
      HasSubstr("the option with the best score, 'b', found 'a'"));
}

class MmeQuestions : public testing::Test {
 protected:
  void add(const std::string& text, const std::string& content, const std::string& picture) const {
    write(folder_ / text, content);
    if (!picture.empty()) write(folder_ / picture, "picture");
  }
  const path folder_ = empty_folder();
};

TEST_F(MmeQuestions, ComeFromBothLayouts) {
  add("count/2.txt", "Two?\tYes\nThree? Please answer yes or no.\tno\n", "count/2.png");
  add("count/1.txt", "One?\tYes\r\nTwo?\tNo\r\n\r\n", "count/1.jpg");
  add("scene/questions_answers_YN/a.b.txt", "A sea?\tNo\nA wood?\tYes\n", "scene/images/a.b.jpg");
  const std::vector<std::string> rows = mme_questions(folder_, /*partial=*/true);
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[0],
            R"({"category":"count","image":"count/1.jpg","question":"One?","answer":"Yes"})");
  EXPECT_EQ(rows[3], R"({"category":"count","image":"count/2.png",)"
                     R"("question":"Three? Please answer yes or no.","answer":"No"})");
  EXPECT_EQ(
      rows[4],
      R"({"category":"scene","image":"scene/images/a.b.jpg","question":"A sea?","answer":"No"})");
}

TEST_F(MmeQuestions, ComeFromATable) {
  const std::string first(60, 'p'), second = "\x89PNG" + std::string(50, 'q');
  const path table =
      write(folder_ / "MME.tsv",
            "index\tcategory\tquestion\tanswer\timage\n0\tcount\tOne?\tYes\t" + to_base64(first) +
                "\n1\tcount\tTwo?\tNo\t0\n7\tOCR\tA?\tno\t" + to_base64(second) +
                "\n8\tOCR\tB?\tYes\t" + to_base64(second) + "\n");
  const std::vector<std::string> rows = mme_questions_of_table(table, folder_ / "pictures");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0], R"({"category":"count","image":"0.jpg","question":"One?","answer":"Yes"})");
  EXPECT_EQ(rows[1], R"({"category":"count","image":"0.jpg","question":"Two?","answer":"No"})");
  EXPECT_EQ(rows[2], R"({"category":"OCR","image":"7.png","question":"A?","answer":"No"})");
  EXPECT_THAT(rows[3], HasSubstr(R"("image":"7.png")"));
  EXPECT_EQ(io::read_text(folder_ / "pictures/0.jpg"), first);
  EXPECT_EQ(io::read_text(folder_ / "pictures/7.png"), second);
  const auto refused = [&](const std::string& text) {
    const path bad = write(folder_ / "bad.tsv", text);
    return refusal([&] { mme_questions_of_table(bad, folder_ / "pictures"); });
  };
  const std::string header = "index\tcategory\tquestion\tanswer\timage\n";
  EXPECT_THAT(refused(header), HasSubstr("expected rows with questions, found none"));
  EXPECT_THAT(refused("index\timage\n0\t1\n"), HasSubstr("the key 'question' is missing"));
  EXPECT_THAT(refused(header + "0\tcount\tOne?\tYes\t5\n../1\tcount\tOne?\tYes\t5\n"
                               "2\tcount\tOne?\tPerhaps\t5\n"),
              AllOf(HasSubstr("expected a picture in base64, or the index of a row before"),
                    HasSubstr("index: expected a number, found '../1'"),
                    HasSubstr("expected Yes or No, found 'Perhaps'")));
}

TEST_F(MmeQuestions, NameEveryFault) {
  const auto refused = [&](bool partial) {
    return refusal([&] { mme_questions(folder_, partial); });
  };
  EXPECT_THAT(refused(true), HasSubstr("expected folders of MME's tasks (existence, "));
  add("count/1.txt", "One?\tYes\n", "count/1.jpg");
  add("count/2.txt", "Two?\tYes\nThree?\tNo\n", "");
  add("count/3.txt", "No tab\nThree?\tMaybe\n", "count/3.jpg");
  std::filesystem::create_directories(folder_ / "OCR");
  EXPECT_THAT(refused(true), AllOf(HasSubstr("1.txt: expected 2 questions, found 1"),
                                   HasSubstr("2.txt: expected its picture"),
                                   HasSubstr("3.txt:1: expected a question, a tab"),
                                   HasSubstr("OCR: expected texts with questions, found none")));
  EXPECT_THAT(refused(false), HasSubstr("expected a folder of each task, found none of existence"));
  EXPECT_THAT(refusal([&] { mme_questions(folder_ / "absent", true); }),
              HasSubstr("absent: expected a folder"));
}

}  // namespace
}  // namespace lynceus::evaluate
