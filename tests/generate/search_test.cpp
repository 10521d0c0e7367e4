// Search against enumeration of all answers, and what it promises its caller.
#include "generate/search.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "table_model.h"

namespace lynceus::generate {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

std::vector<double> log_softmax(const std::vector<float>& logits) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  std::vector<double> result;
  for (const float logit : logits) result.push_back(static_cast<double>(logit) - std::log(sum));
  return result;
}

/// All answers of the model, best score first: each ends with EOS or has `most` tokens.
/// `counted_bos`: counts in the length of answers without EOS.
void enumerate(const TableModel& model, int64_t most, double length_penalty, int64_t counted_bos,
               std::vector<int32_t> tokens, double sum, std::vector<Search::Answer>* answers) {
  const std::vector<double> next = log_softmax(model.logits(tokens));
  for (int32_t token = 0; token < static_cast<int32_t>(model.size); ++token) {
    std::vector<int32_t> longer = tokens;
    longer.push_back(token);
    const double total = sum + next[static_cast<size_t>(token)];
    const bool ended = token == model.eos;
    if (ended || std::ssize(longer) == most) {
      const int64_t length = std::ssize(longer) + (ended ? 0 : counted_bos);
      const double score = total / std::pow(static_cast<double>(length), length_penalty);
      answers->push_back({longer, ended, length, total, score});
    } else {
      enumerate(model, most, length_penalty, counted_bos, longer, total, answers);
    }
  }
}

/// With as many beams as there are answers, beam search finds them all.
TEST(SearchTest, ManyBeamsFindTheBestOfAllAnswers) {
  for (const char* length : {"lynx", "hf"}) {
    for (const double length_penalty : {-1.0, 0.0, 1.0, 2.0}) {
      for (uint64_t seed = 0; seed < 6; ++seed) {
        SCOPED_TRACE(testing::Message() << length << ' ' << length_penalty << ' ' << seed);
        const TableModel model{.size = 4, .seed = seed, .eos_bonus = 1};
        Settings settings;
        settings.length = length;
        settings.num_beams = 300;
        settings.num_return_sequences = 40;
        settings.max_new_tokens = 5;
        settings.early_stopping = "never";
        settings.length_penalty = length_penalty;
        std::vector<Search::Answer> all;
        enumerate(model, 5, length_penalty, settings.counted_bos(), {}, 0, &all);
        ASSERT_EQ(all.size(), 364u);  // 1 + 3 + … + 81 with EOS, 243 without
        std::ranges::sort(all, std::greater<>(), &Search::Answer::score);

        Search search(settings, model.vocabulary(), 0);
        const std::vector<Search::Answer> answers = decode(search, model);
        ASSERT_EQ(answers.size(), 40u);
        for (size_t i = 0; i < answers.size(); ++i) {
          EXPECT_EQ(answers[i].tokens, all[i].tokens) << i;
          EXPECT_EQ(answers[i].ended, all[i].ended);
          EXPECT_EQ(answers[i].length, all[i].length);
          EXPECT_NEAR(answers[i].sum, all[i].sum, 1e-5);
          EXPECT_NEAR(answers[i].score, all[i].score, 1e-5 * (1 + std::abs(all[i].score)));
        }
      }
    }
  }
}

TEST(SearchTest, GreedyTakesTheLargestAndAddsUpItsLogProbabilities) {
  const TableModel model{.size = 40, .seed = 3, .eos_bonus = -3};
  Settings settings;
  settings.max_new_tokens = 30;
  Search search(settings, model.vocabulary(), 0);
  const Search::Answer answer = decode(search, model).at(0);

  std::vector<int32_t> tokens;
  double sum = 0;
  while (tokens.empty() || (tokens.back() != model.eos && tokens.size() < 30)) {
    const std::vector<double> next = log_softmax(model.logits(tokens));
    tokens.push_back(static_cast<int32_t>(std::ranges::max_element(next) - next.begin()));
    sum += next[static_cast<size_t>(tokens.back())];
  }
  EXPECT_EQ(answer.tokens, tokens);
  EXPECT_NEAR(answer.sum, sum, 1e-5);
  EXPECT_FALSE(answer.ended);
  EXPECT_EQ(answer.length, 31);  // with BOS
  EXPECT_NEAR(answer.score, sum / 31, 1e-6);

  settings.length = "hf";
  Search without_bos(settings, model.vocabulary(), 0);
  EXPECT_EQ(decode(without_bos, model).at(0).length, 30);
}

TEST(SearchTest, SaysWhatItWantsLogitsOf) {
  const TableModel model{.size = 12, .seed = 5, .eos_bonus = -2};
  Settings settings;
  settings.num_beams = 3;
  settings.max_new_tokens = 4;
  Search search(settings, model.vocabulary(), 0);
  EXPECT_EQ(search.live(), 1);
  EXPECT_THAT(search.next(), testing::IsEmpty());
  LiveSequences live;
  for (int step = 0; !search.done(); ++step) {
    search.advance(live.logits(model));
    EXPECT_EQ(search.live(), std::ssize(search.next()));
    for (const auto& [token, parent] : search.next()) {
      EXPECT_LT(parent, step == 0 ? 1 : 3);
      EXPECT_NE(token, model.eos);
    }
    live.follow(search);
  }
  EXPECT_EQ(search.live(), 0);
}

/// The samples of a row end at different times; each is what it would be alone.
TEST(SearchTest, SamplesOfOneRowDoNotSeeEachOther) {
  for (const int64_t beams : {1, 3}) {
    const TableModel model{.size = 23, .seed = 8, .eos_bonus = 1};
    Settings settings;
    settings.do_sample = true;
    settings.num_beams = beams;
    settings.max_new_tokens = 12;
    settings.num_return_sequences = 6;
    Search search(settings, model.vocabulary(), 77);
    const std::vector<Search::Answer> answers = decode(search, model);
    ASSERT_EQ(answers.size(), 6u);
    std::vector<size_t> lengths;
    for (const Search::Answer& answer : answers) lengths.push_back(answer.tokens.size());
    EXPECT_NE(*std::ranges::min_element(lengths), *std::ranges::max_element(lengths));

    settings.num_return_sequences = 2;
    Search first(settings, model.vocabulary(), 77);
    const std::vector<Search::Answer> two = decode(first, model);
    ASSERT_EQ(two.size(), 2u);
    EXPECT_EQ(two[0].tokens, answers[0].tokens);
    EXPECT_EQ(two[1].tokens, answers[1].tokens);
    EXPECT_NE(two[0].tokens, two[1].tokens);

    Search other(settings, model.vocabulary(), 78);
    EXPECT_NE(decode(other, model)[0].tokens, two[0].tokens);
    settings.seed = 2;
    Search reseeded(settings, model.vocabulary(), 77);
    EXPECT_NE(decode(reseeded, model)[0].tokens, two[0].tokens);
  }
}

/// no_repeat_ngram_size 1 leaves no token after all have been used.
TEST(SearchTest, EndsWhereNoTokenMayFollow) {
  for (const int64_t beams : {1, 2}) {
    for (const bool sample : {false, true}) {
      const TableModel model{.size = 4, .seed = 1, .eos = -1};
      Settings settings;
      settings.num_beams = beams;
      settings.do_sample = sample;
      settings.no_repeat_ngram_size = 1;
      settings.max_new_tokens = 9;
      Search search(settings, model.vocabulary(), 0);
      const Search::Answer answer = decode(search, model).at(0);
      EXPECT_THAT(answer.tokens, testing::UnorderedElementsAre(0, 2, 3));  // BOS is 1
      EXPECT_FALSE(answer.ended);
    }
  }
}

TEST(SearchTest, RefusesLogitsThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int64_t beams : {1, 3}) {
      const TableModel model{.size = 100};
      Settings settings;
      settings.num_beams = beams;
      Search search(settings, model.vocabulary(), 42);
      std::vector<float> logits = model.logits({});
      logits[70] = bad;
      try {
        search.advance(logits);
        ADD_FAILURE() << "expected NumericError";
      } catch (const NumericError& error) {
        EXPECT_THAT(error.what(), StartsWith("logits of the next token: expected finite"));
      }
    }
  }
}

TEST(SearchTest, OfEqualScoresTheLaterComesFirst) {
  Settings settings;
  settings.max_new_tokens = 1;
  settings.num_beams = 2;
  settings.num_return_sequences = 2;
  Search search(settings, {5, 1, 2}, 0);
  search.advance(std::vector<float>{1, 0, 0, 0, 1});
  const std::vector<Search::Answer> answers = search.answers();
  EXPECT_THAT(answers.at(0).tokens, ElementsAre(4));
  EXPECT_THAT(answers.at(1).tokens, ElementsAre(0));
}

/// Rows of [PAD] and of a vocabulary that was padded are −inf.
TEST(SearchTest, TakesNoTokenWithoutProbability) {
  std::vector<float> logits(8, -std::numeric_limits<float>::infinity());
  logits[3] = 1;
  logits[6] = 2;
  Settings settings;
  settings.max_new_tokens = 1;
  settings.num_beams = 4;
  settings.num_return_sequences = 4;
  Search search(settings, {8, 1, 2}, 0);
  search.advance(logits);
  const std::vector<Search::Answer> answers = search.answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_THAT(answers[0].tokens, ElementsAre(6));
  EXPECT_THAT(answers[1].tokens, ElementsAre(3));
}

}  // namespace
}  // namespace lynceus::generate
