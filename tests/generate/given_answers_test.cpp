// Log-probabilities of given answers: those of the model of the table, whatever the other answers
// are.
#include "generate/given_answers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "generate/row_math.h"
#include "table_model.h"

namespace lynceus::generate {
namespace {

using Tokens = std::vector<int32_t>;

double sum_of(const TableModel& model, const Tokens& answer) {
  double sum = 0;
  Tokens before;
  for (const int32_t token : answer) {
    const std::vector<float> logits = model.logits(before);
    sum += static_cast<double>(logits[static_cast<size_t>(token)]) - log_sum_exp(logits);
    before.push_back(token);
  }
  return sum;
}

std::vector<Search::Answer> scored(const TableModel& model, const std::vector<Tokens>& answers,
                                   int* steps = nullptr) {
  Search search(answers, model.vocabulary());
  LiveSequences live;
  while (!search.done()) {
    search.advance(live.logits(model));
    live.follow(search);
    if (steps != nullptr) ++*steps;
  }
  return search.answers();
}

TEST(GivenAnswers, HaveTheLogProbabilitiesOfTheModel) {
  const TableModel model;
  // Of different lengths, with common beginnings, one of them twice, one without an end.
  const std::vector<Tokens> answers = {{4, 5, 2}, {2}, {4, 5, 6, 7, 2}, {11, 0}, {4, 5, 2}};
  int steps = 0;
  const std::vector<Search::Answer> found = scored(model, answers, &steps);
  ASSERT_EQ(found.size(), answers.size());
  EXPECT_EQ(steps, 5);
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(found[i].tokens, answers[i]);
    EXPECT_DOUBLE_EQ(found[i].sum, sum_of(model, answers[i])) << i;
    EXPECT_EQ(found[i].length, std::ssize(answers[i]));
    EXPECT_DOUBLE_EQ(found[i].score, found[i].sum / static_cast<double>(answers[i].size()));
    EXPECT_EQ(found[i].ended, answers[i].back() == 2);
    EXPECT_EQ(scored(model, {answers[i]})[0].sum, found[i].sum) << "alone";
  }
  EXPECT_NE(found[0].sum, found[2].sum);
}

TEST(GivenAnswers, OfAllAnswersOfALengthSumToOne) {
  const TableModel model{.size = 5, .seed = 3};
  std::vector<Tokens> answers;
  for (int32_t a = 0; a < 5; ++a)
    for (int32_t b = 0; b < 5; ++b) answers.push_back({a, b});
  double total = 0;
  for (const Search::Answer& answer : scored(model, answers)) total += std::exp(answer.sum);
  // The exponentials of the two sums are f32.
  EXPECT_NEAR(total, 1, 4 * std::numeric_limits<float>::epsilon());
}

TEST(GivenAnswers, EndWhereLogitsAreNotFinite) {
  const TableModel model;
  Search search(std::vector<Tokens>{{4, 2}}, model.vocabulary());
  std::vector<float> logits = model.logits({});
  logits[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(search.advance(logits), NumericError);
}

}  // namespace
}  // namespace lynceus::generate
