// OwlEval: the order of answers, the sheet, the rules for ratings, and the scores that follow.
#include "evaluate/owleval/owleval.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "answer_files.h"
#include "evaluate/owleval/answers.h"
#include "evaluate/owleval/ratings.h"
#include "evaluate/owleval/sheet.h"
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
using testing::Not;

constexpr uint64_t kSeed = 7;

/// Answers of `models` models to `questions` questions; two questions share an image.
OwlAnswers made_answers(size_t models, size_t questions) {
  OwlAnswers answers;
  for (size_t q = 0; q < questions; ++q)
    answers.questions.push_back({static_cast<int64_t>(q + 1), fmt::format("{}.jpg", q / 2),
                                 fmt::format("question {}", q + 1)});
  for (size_t m = 0; m < models; ++m) {
    answers.models.push_back({fmt::format("model-{}", m), {}, {}});
    for (size_t q = 0; q < questions; ++q)
      answers.models[m].answers.push_back(fmt::format("answer {} of {}", q + 1, m));
  }
  return answers;
}

/// A filled sheet with these scores, [question][model].
std::string filled(const OwlAnswers& answers, const std::string& rater,
                   const std::vector<std::vector<int>>& scores) {
  std::string items;
  for (size_t q = 0; q < scores.size(); ++q) {
    const int64_t id = answers.questions[q].id;
    std::string shown;
    for (const size_t model : shown_order(kSeed, id, answers.models.size()))
      shown += fmt::format("{}{}", shown.empty() ? "" : ",", scores[q][model]);
    items += fmt::format("{}\"{}\": [{}]", items.empty() ? "" : ", ", id, shown);
  }
  return fmt::format(
      R"({{"format": "lynceus owleval ratings", "version": 1, "sheet": "{}", "seed": "{}", )"
      R"("rater": "{}", "scores": {{{}}}}})",
      sheet_digest(answers, kSeed), kSeed, rater, items);
}

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    group = group << 6 | static_cast<uint32_t>(digits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFF);
  }
  return bytes;
}

/// The JSON in a sheet.
io::Json data_of(const std::string& sheet) {
  const size_t begin = sheet.find("id=\"data\">") + 10;
  return parsed(sheet.substr(begin, sheet.find("</script>", begin) - begin));
}

TEST(OwlEvalOrder, IsAPureFunctionAndUsesAllOrders) {
  std::set<std::vector<size_t>> orders;
  std::vector<int> first(3);
  for (int64_t id = 1; id <= 600; ++id) {
    const std::vector<size_t> order = shown_order(kSeed, id, 3);
    EXPECT_EQ(order, shown_order(kSeed, id, 3));
    EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), 3u);
    orders.insert(order);
    ++first[order[0]];
  }
  EXPECT_EQ(orders.size(), 6u);
  // 200 expected, standard deviation sqrt(600 / 3 * 2 / 3) = 11.5; five of them.
  for (const int count : first) EXPECT_NEAR(count, 200, 58);
  EXPECT_NE(shown_order(1, 5, 12), shown_order(2, 5, 12));
}

TEST(OwlEvalAnswers, JoinsOnTheQuestionId) {
  const path folder = empty_folder();
  const path questions = write(folder / "q.jsonl",
                               R"({"question_id": 4, "image": "4.jpg", "question": "four?"}
{"question_id": 2, "question": "two?"})");
  const path a = write(folder / "zeta.jsonl",
                       R"({"question_id": 2, "answer": "z2", "image": "2.png", "question": "other"}
{"question_id": 4, "answer": "not this", "answer_predicted": ""})");
  const path b = write(folder / "b.jsonl",
                       R"({"question_id": 4, "answer": "b4", "model_id": "alpha"}
{"question_id": 2, "answer": "b2"})");
  const OwlAnswers answers = read_owleval({a, b}, questions);
  ASSERT_EQ(answers.questions.size(), 2u);
  EXPECT_EQ(answers.questions[0].text, "two?");
  EXPECT_EQ(answers.questions[0].image, "2.png");
  ASSERT_EQ(answers.models.size(), 2u);
  EXPECT_EQ(answers.models[0].name, "alpha");
  EXPECT_EQ(answers.models[1].name, "zeta");
  EXPECT_THAT(answers.models[1].answers, testing::ElementsAre("z2", ""));
  EXPECT_EQ(sheet_digest(answers, 1), sheet_digest(read_owleval({b, a}, questions), 1));
  EXPECT_NE(sheet_digest(answers, 1), sheet_digest(answers, 2));
}

TEST(OwlEvalAnswers, ListsAllFaults) {
  const path folder = empty_folder();
  const path bad = write(folder / "bad.jsonl", R"({"question_id": 1, "answer": "a", "model_id": "x"}
{"question_id": 1, "answer": "b"}
{"question_id": 83, "answer": "c"}
{"question_id": 2}
{"question_id": 3, "answer": "d", "model_id": "y"})");
  const std::string text = refusal([&] { read_owleval({bad}, {}); });
  EXPECT_THAT(
      text, AllOf(HasSubstr("bad.jsonl:2: expected each id once, found '1' again"),
                  HasSubstr("bad.jsonl:3: expected one of the 82 questions, found question_id 83"),
                  HasSubstr("bad.jsonl:4: the key 'answer' is missing"),
                  HasSubstr("bad.jsonl:5: key model_id: expected the answers of one model, x"),
                  HasSubstr("bad.jsonl: expected an answer to each of the 82 questions, found "
                            "none to 2"),
                  HasSubstr("more faults")));
}

TEST(OwlEvalSheet, HasEverythingInItButTheNamesOfModels) {
  OwlAnswers answers = made_answers(3, 2);
  answers.models[0].answers[0] = "</script><b>bold</b>";
  const path photos = path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images";
  const path photo = photos / "000000002473.jpg";
  for (OwlQuestion& question : answers.questions) question.image = photo.filename();
  const std::string sheet = make_sheet(answers, kSeed, photos);
  EXPECT_THAT(sheet, Not(HasSubstr("model-")));
  EXPECT_THAT(sheet, Not(HasSubstr("@DATA@")));
  EXPECT_THAT(sheet, Not(HasSubstr("</script><b>")));
  for (const char* outside : {"https://", "src=\"", "@import", "url("})
    EXPECT_THAT(sheet, Not(HasSubstr(outside)));
  const io::Json data = data_of(sheet);
  EXPECT_EQ(data.at("sheet").string(), sheet_digest(answers, kSeed));
  EXPECT_EQ(data.at("padding").integer(), 8);
  EXPECT_EQ(data.at("pictures").size(), 1u);
  const io::Json picture = data.at("pictures").at(photo.filename().string());
  EXPECT_GT(picture.at("width").integer(), 0);
  EXPECT_THAT(picture.at("source").string(), testing::StartsWith("data:image/jpeg;base64,/9j/"));
  for (size_t q = 0; q < 2; ++q) {
    const std::vector<size_t> order = shown_order(kSeed, answers.questions[q].id, 3);
    for (size_t place = 0; place < 3; ++place)
      EXPECT_EQ(data.at("items").at(q).at("answers").at(place).string(),
                answers.models[order[place]].answers[q]);
  }
}

TEST(OwlEvalSheet, EmbedsTheBytesOfPictures) {
  const path photos = path(LYNCEUS_SOURCE_DIR) / "tests/data/photos/images";
  OwlAnswers answers = made_answers(1, 0);
  std::set<uint64_t> remainders;
  for (const auto& entry : std::filesystem::directory_iterator(photos)) {
    const auto id = static_cast<int64_t>(answers.questions.size() + 1);
    answers.questions.push_back({id, entry.path().filename(), "question"});
    answers.models[0].answers.push_back("answer");
    remainders.insert(entry.file_size() % 3);
  }
  ASSERT_EQ(remainders.size(), 3u);
  const io::Json pictures = data_of(make_sheet(answers, kSeed, photos)).at("pictures");
  for (const OwlQuestion& question : answers.questions) {
    const std::string source = pictures.at(question.image).at("source").string();
    const std::string digits = source.substr(source.find(',') + 1);
    EXPECT_EQ(digits.size() % 4, 0u);
    EXPECT_TRUE(from_base64(digits) == io::read_text(photos / question.image)) << question.image;
  }
}

TEST(OwlEvalSheet, ListsMissingPicturesAndTexts) {
  OwlAnswers answers = made_answers(2, 4);
  answers.questions[3].text = "";
  const path folder = empty_folder();
  write(folder / "0.jpg", "no picture");
  EXPECT_THAT(refusal([&] { make_sheet(answers, kSeed, folder); }),
              AllOf(HasSubstr("0.jpg"), HasSubstr("1.jpg: expected a picture of OwlEval, found no"),
                    HasSubstr("question 4: expected its text")));
  answers.questions[3].text = "text";
  EXPECT_THAT(make_sheet(answers, kSeed, {}), HasSubstr("\"pictures\":{}"));
  EXPECT_EQ(refusal([&] { make_sheet(made_answers(6, 10), kSeed, {}); }), "");
  EXPECT_THAT(refusal([&] { make_sheet(made_answers(6, 11), kSeed, {}); }),
              HasSubstr("expected at most 5 models"));
  EXPECT_THAT(refusal([&] { make_sheet(made_answers(7, 1), kSeed, {}); }),
              HasSubstr("expected at most 5 models"));
}

TEST(OwlEvalRatings, CountsTiedModels) {
  EXPECT_EQ(tied_models({1, 2, 3}), 0u);
  EXPECT_EQ(tied_models({3, 2, 3}), 2u);
  EXPECT_EQ(tied_models({3, 3, 3}), 3u);
  EXPECT_EQ(tied_models({3, 3, 1, 1}), 4u);
}

TEST(OwlEvalRatings, AreReadInTheOrderOfTheSheet) {
  const OwlAnswers answers = made_answers(3, 4);
  const std::vector<std::vector<int>> scores = {{1, 2, 3}, {5, 4, 1}, {2, 2, 5}, {4, 3, 5}};
  const path file = write(empty_folder() / "r.json", filled(answers, "Anna", scores));
  const std::vector<Ratings> ratings = read_ratings({file}, answers);
  ASSERT_EQ(ratings.size(), 1u);
  EXPECT_EQ(ratings[0].rater, "Anna");
  EXPECT_EQ(ratings[0].scores, scores);
}

TEST(OwlEvalRatings, RefusesWhatTheRulesForbid) {
  const OwlAnswers answers = made_answers(3, 12);
  const path folder = empty_folder();
  std::vector<std::vector<int>> scores(12, {1, 2, 3});
  for (size_t q = 0; q < 10; ++q) scores[q] = {2, 2, 3};
  const auto text = [&](const std::string& sheet) {
    const path file = write(folder / "r.json", sheet);
    return refusal([&] { read_ratings({file}, answers); });
  };
  EXPECT_EQ(text(filled(answers, "A", scores)), "");
  scores[10] = {1, 4, 4};
  EXPECT_THAT(text(filled(answers, "A", scores)),
              HasSubstr("expected at most 10 items with a tie, found 11"));
  scores[10] = {4, 4, 4};
  scores[11] = {0, 4, 6};
  EXPECT_THAT(text(filled(answers, "A", scores)),
              AllOf(HasSubstr("scores.11: expected at most 2 models with the same score, found 3"),
                    HasSubstr("expected an integer from 1 to 5, found")));
  scores.resize(11);
  scores[10] = {1, 2, 3};
  EXPECT_THAT(text(filled(answers, "A", scores)), HasSubstr("the key 'scores.12' is missing"));
  EXPECT_THAT(text(filled(made_answers(2, 12), "A", {})),
              HasSubstr("expected ratings of the sheet"));
  EXPECT_THAT(text(R"({"format": "other", "version": 1})"), HasSubstr("expected a filled sheet"));
  const std::vector<std::vector<int>> good(12, {1, 2, 3});
  EXPECT_THAT(text(filled(answers, " ", good)), HasSubstr("key rater: expected a text"));
  const path one = write(folder / "1.json", filled(answers, "Anna", good));
  const path two = write(folder / "2.json", filled(answers, "Anna", good));
  EXPECT_THAT(refusal([&] {
                read_ratings({one, two}, answers);
              }),
              HasSubstr("2.json: expected each id once, found 'Anna' again"));
}

TEST(OwlEvalRatings, GiveMeansWinRatesAndAgreement) {
  const OwlAnswers answers = made_answers(2, 4);
  const std::vector<Ratings> ratings = {{"Anna", {{5, 1}, {4, 2}, {3, 3}, {2, 4}}},
                                        {"Ben", {{5, 2}, {5, 2}, {4, 3}, {1, 4}}}};
  const RatingScores scores = score_ratings(ratings, answers);
  EXPECT_DOUBLE_EQ(scores.models[0].mean.value, 29.0 / 8);
  EXPECT_DOUBLE_EQ(scores.models[1].mean.value, 21.0 / 8);
  ASSERT_EQ(scores.pairs.size(), 1u);
  EXPECT_EQ(scores.pairs[0].wins, 5);
  EXPECT_EQ(scores.pairs[0].ties, 1);
  EXPECT_EQ(scores.pairs[0].losses, 2);
  EXPECT_DOUBLE_EQ(scores.pairs[0].win_rate.value, 5.5 / 8);
  // Two images: their means are 19/4 and 10/4, so the bootstrap draws them and their mean.
  ASSERT_TRUE(scores.models[0].mean.low && scores.models[0].mean.high);
  EXPECT_DOUBLE_EQ(*scores.models[0].mean.low, 10.0 / 4);
  EXPECT_DOUBLE_EQ(*scores.models[0].mean.high, 19.0 / 4);
  // Alpha from its definition, over all pairs of values.
  std::vector<double> values;
  double observed = 0, expected = 0;
  for (size_t q = 0; q < 4; ++q)
    for (size_t m = 0; m < 2; ++m) {
      const double a = ratings[0].scores[q][m], b = ratings[1].scores[q][m];
      observed += 2 * (a - b) * (a - b);
      values.insert(values.end(), {a, b});
    }
  for (const double a : values)
    for (const double b : values) expected += (a - b) * (a - b);
  const auto n = static_cast<double>(values.size());
  ASSERT_TRUE(scores.agreement);
  EXPECT_NEAR(*scores.agreement, 1 - (observed / n) / (expected / (n * (n - 1))), 1e-12);
  EXPECT_EQ(score_ratings({ratings[0]}, answers).agreement, std::nullopt);
  EXPECT_DOUBLE_EQ(*score_ratings({ratings[0], {"Copy", ratings[0].scores}}, answers).agreement, 1);
}

TEST(OwlEval, ReportsModelsSheetAndRatings) {
  const path folder = empty_folder();
  const path questions =
      write(folder / "q.jsonl", R"({"question_id": 1, "question": "q", "image": "1.jpg"})");
  const path a = write(folder / "a.jsonl", R"({"question_id": 1, "answer": "x"})");
  const path b = write(folder / "b.jsonl", R"({"question_id": 1, "answer": " "})");
  OwlEvalOptions options = {.answers = {a, b}, .questions = questions, .sheet = folder / "s.html"};
  options.seed = kSeed;
  io::Json json = parsed(to_json(evaluate_owleval(options)));
  EXPECT_EQ(json.at("models").at(1).at("empty").integer(), 1);
  EXPECT_FALSE(json.find("mean_scores"));
  EXPECT_THAT(io::read_text(folder / "s.html"), HasSubstr("<!DOCTYPE html>"));
  const OwlAnswers answers = read_owleval({a, b}, questions);
  options.sheet = "";
  options.ratings = {write(folder / "r.json", filled(answers, "Anna", {{4, 2}}))};
  const Evaluation result = evaluate_owleval(options);
  json = parsed(to_json(result));
  EXPECT_EQ(json.at("mean_scores").at("a").at("mean_score").number(), 4);
  EXPECT_TRUE(json.at("mean_scores").at("a").at("low").is_null());  // one image
  EXPECT_EQ(json.at("pairs").at(size_t{0}).at("win_rate").number(), 1);
  EXPECT_TRUE(json.at("agreement").is_null());
  ASSERT_EQ(result.items.size(), 2u);
  EXPECT_EQ(result.items[1].set, "b");
  EXPECT_EQ(result.items[1].value, 2.0);
}

/// The published answers of three models.
TEST(OwlEval, PublishedAnswersAreComplete) {
  const auto folder = data_folder("owleval");
  if (!folder) GTEST_SKIP() << "LYNCEUS_DATA_DIR has no owleval";
  const OwlAnswers answers =
      read_owleval({*folder / "llava_13b_answer.jsonl", *folder / "mPLUG_Owl_7b_answer.jsonl",
                    *folder / "minigpt4_13b_answer.jsonl"},
                   {});
  EXPECT_EQ(answers.questions.size(), 82u);
  EXPECT_EQ(answers.models[0].name, "llava-13b");
  EXPECT_EQ(answers.questions[81].id, 82);
  EXPECT_EQ(refusal([&] { make_sheet(answers, kSeed, {}); }), "");
}

}  // namespace
}  // namespace lynceus::evaluate
