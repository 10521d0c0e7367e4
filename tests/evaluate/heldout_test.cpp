// Scores of answers to held-out samples, and the contact sheet.
#include "evaluate/benchmarks/heldout.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "answer_files.h"
#include "evaluate/contact_sheet.h"
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
using testing::Not;

std::string row(const std::string& set, const std::string& class_name, int sample,
                const std::string& reference, const std::string& answer, bool right) {
  return fmt::format(
             R"({{"dataset":"{}","class":"{}","key":"k{}","sample":{},"question":"What, {}?",)"
             R"("answer":["{}"],"answer_predicted":"{}","right":{}}})",
             set, class_name, sample, sample, sample, reference, answer, right) +
         "\n";
}

/// Two classes of one set, and another set.
std::string rows() {
  return row("q", "Color", 0, "red", "red", true) + row("q", "Color", 1, "red", "blue", false) +
         row("q", "Color", 2, "blue", "blue", true) + row("q", "Count", 3, "2", "", false) +
         row("z", "Color", 0, "green", "green", false);
}

TEST(Heldout, CountsRightAnswersBySetAndClass) {
  const path file = write(empty_folder() / "answers.jsonl", rows());
  const Evaluation result = evaluate_heldout({.answers = {file}});
  const io::Json json = parsed(to_json(result));
  EXPECT_EQ(json.at("right").integer(), 2);
  EXPECT_EQ(json.at("questions").integer(), 5);
  EXPECT_DOUBLE_EQ(json.at("accuracy").number(), 0.4);
  const auto sets = json.at("sets").elements();
  ASSERT_EQ(sets.size(), 3u);
  EXPECT_EQ(sets[0].at("class").string(), "Color");
  EXPECT_DOUBLE_EQ(sets[0].at("accuracy").number(), 2.0 / 3);
  EXPECT_DOUBLE_EQ(sets[0].at("baseline").number(), 2.0 / 3);
  EXPECT_EQ(sets[1].at("class").string(), "Count");
  EXPECT_EQ(sets[1].at("right").integer(), 0);
  EXPECT_EQ(sets[2].at("set").string(), "z");
  // The text is the reference, but its tokens are not, which `right` says.
  EXPECT_FALSE(*result.items[4].right);
  EXPECT_EQ(result.items[0].id, "q#0");
  EXPECT_EQ(result.card.rule.name, "tokens of the reference");
}

TEST(Heldout, RefusesWhatItCannotScore) {
  const path folder = empty_folder();
  const auto refused = [&](const std::string& text) {
    const path file = write(folder / "answers.jsonl", text);
    return refusal([&] { evaluate_heldout({.answers = {file}}); });
  };
  const std::string good = row("q", "Color", 0, "red", "red", true);
  EXPECT_THAT(refused(good + good), HasSubstr("found 'q#0' again"));
  EXPECT_THAT(refused(R"({"question": "What?", "answer": ["a"], "answer_predicted": "a"})"),
              AllOf(HasSubstr("the key 'sample' is missing")));
  EXPECT_THAT(refused(R"({"dataset": "q", "sample": 0, "answer": ["a"], "answer_predicted": "a"})"),
              HasSubstr("the key 'right' is missing"));
  EXPECT_THAT(refused(""), HasSubstr("expected rows of JSON, found none"));
}

TEST(ContactSheet, HasEverythingInIt) {
  Evaluation result;
  result.benchmark = "heldout";
  result.table.rows = {{"set", "accuracy"}, {"a & b", "50.00 %"}};
  result.table.text_columns = 1;
  const path answers = write(empty_folder() / "answers.jsonl", "{}\n");
  result.card.answers = {digest_answers(answers, {})};
  Item item;
  item.set = "q";
  item.class_ = "Color";
  item.id = "q#0";
  item.question = "Is <b> bold?";
  item.reference = "the \"reference\"";
  item.answer = "@ITEMS@ </figure>";
  item.right = false;
  result.items.push_back(item);
  item.id = "q#1";
  item.right = true;
  item.answer = "yes";
  result.items.push_back(item);
  item.class_ = "Count";
  item.right = std::nullopt;
  result.items.push_back(item);
  const std::string bytes =
      io::read_text(path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images/000000002473.jpg");
  const std::string page = make_contact_sheet(result, [&](size_t number) {
    if (number == 2) return std::vector<EmbeddedPicture>();
    return std::vector<EmbeddedPicture>{embedded_picture(bytes, "photo")};
  });
  const auto count = [&](const std::string& text) {
    int found = 0;
    for (size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1))
      ++found;
    return found;
  };
  EXPECT_EQ(count("<figure class=\"wrong\""), 1);
  EXPECT_EQ(count("<figure class=\"right\""), 1);
  EXPECT_EQ(count("<figure class=\"open\""), 1);
  EXPECT_EQ(count("<h2>q, Color</h2>"), 1);
  EXPECT_EQ(count("src=\"data:image/jpeg;base64,/9j/"), 2);
  EXPECT_EQ(count("reference: the &quot;reference&quot;"), 2) << "not of the right answer";
  EXPECT_THAT(page, AllOf(HasSubstr("Is &lt;b&gt; bold?"), HasSubstr("@ITEMS@ &lt;/figure&gt;"),
                          HasSubstr("<td>a &amp; b</td>"), HasSubstr("not judged")));
  // Nothing is loaded from elsewhere.
  EXPECT_THAT(page,
              AllOf(Not(HasSubstr("http")), Not(HasSubstr("<script")), Not(HasSubstr("<link"))));
}

TEST(ContactSheet, RefusesADamagedPicture) {
  EXPECT_THAT(refusal([] { embedded_picture("no picture", "photo 7"); }), HasSubstr("photo 7"));
}

}  // namespace
}  // namespace lynceus::evaluate
