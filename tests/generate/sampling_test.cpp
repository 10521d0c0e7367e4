// The tokens that top_k and top_p keep, and the distribution of the draws.
#include "generate/sampling.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/random.h"
#include "generate/row_math.h"
#include "generate/search.h"
#include "table_model.h"

namespace lynceus::generate {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

/// As the definition says: sort everything, add up from the least probable.
std::vector<int32_t> kept_by_sorting(const std::vector<float>& scores, const Decoding& decoding,
                                     int64_t least) {
  std::vector<int32_t> order;  // most probable first, of equal ones the higher token
  for (size_t token = scores.size(); token-- > 0;) {
    if (scores[token] > kNone) order.push_back(static_cast<int32_t>(token));
  }
  const auto score = [&](int32_t token) {
    return static_cast<double>(scores[static_cast<size_t>(token)]);
  };
  std::ranges::stable_sort(order, [&](int32_t a, int32_t b) { return score(a) > score(b); });
  const int64_t k = std::max(decoding.top_k, least);
  while (decoding.top_k > 0 && std::ssize(order) > k &&
         score(order.back()) < score(order[static_cast<size_t>(k - 1)])) {
    order.pop_back();
  }
  std::vector<double> weights;
  for (const int32_t token : order) {
    weights.push_back(std::exp((score(token) - score(order[0])) / decoding.temperature));
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double cut = 0;
  while (decoding.top_p < 1 && std::ssize(order) > least &&
         cut + weights[order.size() - 1] <= (1 - decoding.top_p) * sum) {
    cut += weights[order.size() - 1];
    order.pop_back();
  }
  std::ranges::sort(order);
  return order;
}

TEST(SamplingTest, KeepsWhatSortingKeeps) {
  const CounterRandom random(4, "scores");
  uint64_t next = 0;
  for (const size_t size : {1u, 2u, 7u, 130u, 1000u}) {
    for (const int64_t top_k : {0, 1, 3, 20, 2000}) {
      for (const double top_p : {1.0, 0.95, 0.5, 0.01}) {
        for (const double temperature : {1.0, 0.6, 1.7}) {
          for (const int64_t least : {1, 2}) {
            std::vector<float> scores(size);
            for (float& score : scores) {
              score = static_cast<float>(4 * random.normal(next++));
              if (random.uniform(next++) < 0.1) score = kNone;
              if (random.uniform(next++) < 0.2) score = 3.0f;  // equal ones
            }
            scores[0] = 0.5f;
            Decoding decoding;
            decoding.top_k = top_k;
            decoding.top_p = top_p;
            decoding.temperature = temperature;
            TokenFilter filter(decoding, least);
            const std::span<const int32_t> kept = filter.keep(scores);
            ASSERT_EQ(std::vector<int32_t>(kept.begin(), kept.end()),
                      kept_by_sorting(scores, decoding, least))
                << size << ' ' << top_k << ' ' << top_p << ' ' << temperature << ' ' << least;
          }
        }
      }
    }
  }
}

TEST(SamplingTest, KeepsAllThatEqualTheLastOfTopK) {
  Decoding decoding;
  decoding.top_k = 2;
  TokenFilter filter(decoding, 1);
  EXPECT_THAT(filter.keep(std::vector<float>{1, 3, 2, 2, 0, 2}), testing::ElementsAre(1, 2, 3, 5));
}

/// Σ (seen − expected)² / expected. Its mean is the number of kinds less 1, its variance twice
/// that.
template <typename Key>
void expect_frequencies(const std::map<Key, double>& probabilities, const std::map<Key, int>& seen,
                        int draws) {
  double chi_squared = 0;
  int total = 0;
  for (const auto& [key, probability] : probabilities) {
    const double expected = probability * draws;
    ASSERT_GT(expected, 5);
    const auto found = seen.find(key);
    const int count = found == seen.end() ? 0 : found->second;
    chi_squared += (count - expected) * (count - expected) / expected;
    total += count;
  }
  EXPECT_EQ(total, draws);  // nothing else was drawn
  const auto freedom = static_cast<double>(probabilities.size() - 1);
  // Wilson and Hilferty: the cube root is nearly normal. ±4 standard deviations.
  const double spread = 2 / (9 * freedom);
  const double deviation = (std::cbrt(chi_squared / freedom) - (1 - spread)) / std::sqrt(spread);
  EXPECT_LT(std::abs(deviation), 4) << "chi squared " << chi_squared << ", freedom " << freedom;
}

/// Whole answers of a small model, over rows: their probabilities are products.
TEST(SamplingTest, AnswersHaveTheirProbabilities) {
  const TableModel model{.size = 5, .seed = 9, .eos_bonus = 1};
  Settings settings;
  settings.do_sample = true;
  settings.temperature = 1.6;
  settings.top_k = 4;
  settings.top_p = 0.97;
  settings.max_new_tokens = 3;
  std::map<std::vector<int32_t>, double> probabilities;
  const auto enumerate = [&](const auto& self, std::vector<int32_t> tokens,
                             double product) -> void {
    if (tokens.size() == 3 || (!tokens.empty() && tokens.back() == model.eos)) {
      probabilities[tokens] = product;
      return;
    }
    const std::vector<float> logits = model.logits(tokens);
    std::map<int32_t, double> weights;
    double sum = 0;
    for (const int32_t token : kept_by_sorting(logits, settings, 1)) {
      const double logit = static_cast<double>(logits[static_cast<size_t>(token)]);
      sum += weights[token] = std::exp(logit / settings.temperature);
    }
    for (const auto& [token, weight] : weights) {
      std::vector<int32_t> longer = tokens;
      longer.push_back(token);
      self(self, longer, product * weight / sum);
    }
  };
  enumerate(enumerate, {}, 1);
  ASSERT_GT(probabilities.size(), 20u);

  std::map<std::vector<int32_t>, int> seen;
  constexpr int kRows = 30000;
  for (uint64_t row = 0; row < kRows; ++row) {
    Search search(settings, model.vocabulary(), row);
    ++seen[decode(search, model).at(0).tokens];
  }
  expect_frequencies(probabilities, seen, kRows);
}

/// Ordered pairs that are drawn without replacement: p(a) · p(b) / (1 − p(a)).
TEST(SamplingTest, DrawsWithoutReplacement) {
  std::vector<Choice> choices;
  for (const double value : {0.0, 1.0, -1.0, 0.5, -0.3}) {
    const auto index = static_cast<int32_t>(choices.size());
    choices.push_back({index / 2, index, value, 0});
  }
  set_probabilities(choices);
  double sum = 0;
  for (const Choice& choice : choices) sum += choice.probability;
  EXPECT_NEAR(sum, 1, 1e-12);
  std::map<std::pair<int32_t, int32_t>, double> probabilities;
  for (int32_t a = 0; a < 5; ++a) {
    for (int32_t b = 0; b < 5; ++b) {
      if (a == b) continue;
      const double first = choices[static_cast<size_t>(a)].probability;
      probabilities[{a, b}] = first * choices[static_cast<size_t>(b)].probability / (1 - first);
    }
  }
  for (const bool by_step : {false, true}) {  // over rows, and over the steps of one row
    std::map<std::pair<int32_t, int32_t>, int> seen;
    std::vector<int32_t> drawn;
    constexpr int kDraws = 20000;
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t row = by_step ? 7 : static_cast<uint64_t>(i);
      random_draw(11, row, 0)(by_step ? i : 0, choices, 2, &drawn);
      ASSERT_EQ(drawn.size(), 2u);
      ++seen[{drawn[0], drawn[1]}];
    }
    expect_frequencies(probabilities, seen, kDraws);
  }
}

/// Choices that were not drawn may be absent.
TEST(SamplingTest, ADrawDoesNotDependOnLosers) {
  std::vector<Choice> choices;
  for (int32_t token = 0; token < 20; ++token) choices.push_back({0, token, 0.1 * token, 0});
  std::vector<int32_t> drawn;
  for (int64_t step = 0; step < 50; ++step) {
    random_draw(1, 2, 3)(step, choices, 1, &drawn);
    const Choice winner = choices[static_cast<size_t>(drawn.at(0))];
    std::vector<Choice> fewer;
    for (const Choice& choice : choices) {
      if (choice.token % 3 == 0 || choice.token == winner.token) fewer.push_back(choice);
    }
    random_draw(1, 2, 3)(step, fewer, 1, &drawn);
    EXPECT_EQ(fewer[static_cast<size_t>(drawn.at(0))].token, winner.token);
  }
}

TEST(SamplingTest, DrawsFewerWhereThereAreFewer) {
  const std::vector<Choice> choices{{0, 4, 1, 0}, {0, 9, -5000, 0}};
  std::vector<int32_t> drawn;
  random_draw(1, 1, 0)(0, choices, 6, &drawn);
  EXPECT_THAT(drawn, testing::ElementsAre(0, 1));
}

}  // namespace
}  // namespace lynceus::generate
