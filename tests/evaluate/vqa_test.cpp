// VQA accuracy and its normal form equal the published script; the judge `exact` uses the same
// form.
#include "evaluate/benchmarks/vqa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"
#include "evaluate/verdict.h"
#include "evaluate/vqa_normal_form.h"
#include "evaluate/words.h"

namespace lynceus::evaluate {
namespace {

using evaluate_test::empty_folder;
using evaluate_test::parsed;
using evaluate_test::refusal;
using evaluate_test::write;
using std::filesystem::path;
using testing::ElementsAre;
using testing::HasSubstr;

io::Json script_results() {
  return io::Json::read(path(LYNCEUS_SOURCE_DIR) / "tests/data/vqa_accuracy.json");
}

TEST(Words, AreThoseOfPython) {
  EXPECT_THAT(split_words(" a\t b\u00A0c\u2003\u00E9\n\x1F"), ElementsAre("a", "b", "c", "\u00E9"));
  EXPECT_THAT(split_words(" \u3000"), ElementsAre());
  EXPECT_EQ(stripped("\u00A0 a \u2028"), "a");
  EXPECT_EQ(stripped(" \t"), "");
  EXPECT_EQ(first_characters("\u201Cab\u00E9\U0001F600z", 3), "\u201Cab");
  EXPECT_EQ(first_characters("\u00E9\U0001F600z", 2), "\u00E9\U0001F600");
  EXPECT_EQ(first_characters("\xFF\xE9z", 9), "\xFF\xE9z");
  EXPECT_EQ(replaced("a..b.", ".", "::"), "a::::b::");
}

TEST(VqaNormalForm, EqualsThePublishedScript) {
  const io::Json forms = script_results().at("normal_forms");
  ASSERT_GT(forms.size(), 150u);
  for (const io::Json& form : forms.elements())
    EXPECT_EQ(normal_form(form.at(size_t{0}).string()), form.at(1).string())
        << form.at(size_t{0}).dump();
}

TEST(VqaAccuracy, EqualsThePublishedScript) {
  const io::Json results = script_results();
  double sum = 0;
  for (const io::Json& row : results.at("rows").elements()) {
    std::vector<std::string> references;
    for (const io::Json& answer : row.at("answers").elements())
      references.push_back(answer.string());
    const double accuracy = vqa_accuracy(row.at("answer_predicted").string(), references);
    EXPECT_NEAR(accuracy, row.at("accuracy").number(), 1e-12) << row.dump();
    sum += accuracy;
  }
  EXPECT_NEAR(sum / static_cast<double>(results.at("rows").size()), results.at("accuracy").number(),
              1e-12);
}

TEST(VqaAccuracy, UnanimousAnswersAreComparedAsTheyAre) {
  const std::vector<std::string> same(10, "yes");
  EXPECT_EQ(vqa_accuracy("yes", same), 1);
  EXPECT_EQ(vqa_accuracy("Yes", same), 0);
  std::vector<std::string> different = same;
  different[0] = "no";
  EXPECT_EQ(vqa_accuracy("Yes.", different), 1);
  EXPECT_NEAR(vqa_accuracy("No", different), 9.0 / 10 / 3, 1e-15);
}

TEST(Vqa, ScoresRowsByType) {
  const path file = write(
      empty_folder() / "vqa.jsonl",
      R"({"question_id": 5, "question": "q", "image": "a.jpg", "answer_type": "yes/no", "answers": ["yes", "yes", "yes", "yes"], "answer_predicted": "yes"}
{"question_id": "b", "answers": [{"answer": "two"}, {"answer": "2"}, {"answer": "3"}], "answer_predicted": "Two!"}
)");
  const Evaluation result = evaluate_vqa({file});
  const io::Json json = parsed(to_json(result));
  EXPECT_NEAR(json.at("accuracy").number(), (1 + 4.0 / 9) / 2, 1e-15);
  EXPECT_EQ(json.at("answer_types").at("yes/no").at("questions").integer(), 1);
  EXPECT_EQ(result.items[0].id, "5");
  EXPECT_EQ(result.items[0].media, "a.jpg");
  EXPECT_EQ(result.items[1].reference, "two | 2 | 3");
}

TEST(Vqa, ListsAllFaults) {
  const path file = write(empty_folder() / "vqa.jsonl",
                          R"({"question_id": 1, "answers": ["a", "b"]}
{"question_id": 2, "answers": ["a"], "answer_predicted": "a"}
{"answers": ["a", "b"], "answer_predicted": "a"}
{"question_id": 4, "answers": ["a", "b"], "answer_predicted": "a"}
{"question_id": "4", "answers": ["a", "b"], "answer_predicted": "a"}
)");
  EXPECT_THAT(refusal([&] { evaluate_vqa({file}); }),
              testing::AllOf(HasSubstr("vqa.jsonl:1: the key 'answer_predicted' is missing"),
                             HasSubstr("vqa.jsonl:2: key answers: expected at least two human"),
                             HasSubstr("vqa.jsonl:3: the key 'question_id' is missing"),
                             HasSubstr("vqa.jsonl:5: expected each id once, found '4' again")));
}

TEST(ExactJudge, ComparesNormalForms) {
  const std::vector<std::string> references = {"2 dogs", "a pair of dogs"};
  EXPECT_TRUE(matches_exactly("Two dogs.", references));
  EXPECT_TRUE(matches_exactly("pair of dogs", references));
  EXPECT_FALSE(matches_exactly("dogs", references));
  EXPECT_FALSE(matches_exactly("", std::vector<std::string>{""}));
  EXPECT_FALSE(matches_exactly("the", std::vector<std::string>{"a"}));
  const JudgedItem item = {"id", "How many?", references, "two dogs"};
  EXPECT_THAT(exact_judge().decide({&item, 1}), ElementsAre(Judgement(true)));
}

}  // namespace
}  // namespace lynceus::evaluate
