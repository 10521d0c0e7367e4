#include "generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "generate/row_math.h"

namespace lynceus::generate {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

/// The random numbers of one sequence.
CounterRandom sequence_random(uint64_t seed, uint64_t row, uint64_t sequence) {
  const CounterRandom rows(seed, "generate.row");
  const CounterRandom sequences(rows.bits(row), "generate.sequence");
  return {sequences.bits(sequence), "generate.draw"};
}

/// The `count` largest of value + Gumbel noise are draws without replacement from softmax(values),
/// in order (Kool, van Hoof, Welling: Stochastic beams and where to find them, 2019). The noise of
/// a choice follows from its beam and its token, so it does not depend on the other choices.
void draw_by_gumbel(const CounterRandom& random, int64_t step, std::span<const Choice> choices,
                    int64_t count, std::vector<Candidate>* keys, std::vector<int32_t>* drawn) {
  const CounterRandom steps(random.bits(static_cast<uint64_t>(step)), "generate.step");
  keys->clear();
  for (size_t i = 0; i < choices.size(); ++i) {
    const uint64_t place = static_cast<uint64_t>(choices[i].beam) << 32 |
                           static_cast<uint64_t>(static_cast<uint32_t>(choices[i].token));
    const double uniform = steps.uniform(place) + 0x1.0p-54;  // more than 0
    keys->push_back({choices[i].value - std::log(-std::log(uniform)), 0, static_cast<int32_t>(i)});
  }
  const auto end = keys->begin() + std::min(count, static_cast<int64_t>(keys->size()));
  std::partial_sort(keys->begin(), end, keys->end(), comes_before);
  drawn->clear();
  for (auto key = keys->begin(); key != end; ++key) drawn->push_back(key->token);
}

}  // namespace

Draw random_draw(uint64_t seed, uint64_t row, uint64_t sequence) {
  return [random = sequence_random(seed, row, sequence), keys = std::vector<Candidate>()](
             int64_t step, std::span<const Choice> choices, int64_t count,
             std::vector<int32_t>* drawn) mutable {
    draw_by_gumbel(random, step, choices, count, &keys, drawn);
  };
}

void set_probabilities(std::span<Choice> choices) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const Choice& choice : choices) largest = std::max(largest, choice.value);
  double sum = 0;
  for (Choice& choice : choices) sum += choice.probability = std::exp(choice.value - largest);
  for (Choice& choice : choices) choice.probability /= sum;
}

std::span<const int32_t> TokenFilter::keep(std::span<const float> scores) {
  keep_top_k(scores);
  if (decoding_.top_p < 1 && !kept_.empty()) keep_top_p(scores);
  return kept_;
}

void TokenFilter::keep_top_k(std::span<const float> scores) {
  float threshold = std::numeric_limits<float>::lowest();
  if (decoding_.top_k > 0) {
    largest_.reset(std::max(decoding_.top_k, least_));
    largest_.scan(scores, 0, 0);
    if (largest_.full()) threshold = static_cast<float>(largest_.least().value);
  }
  kept_.clear();
  for (size_t token = 0; token < scores.size(); ++token) {
    if (scores[token] >= threshold) kept_.push_back(static_cast<int32_t>(token));
  }
}

void TokenFilter::keep_top_p(std::span<const float> scores) {
  kept_scores_.clear();
  for (const int32_t token : kept_) kept_scores_.push_back(scores[static_cast<size_t>(token)]);
  weights_.resize(kept_.size());
  exponentials(kept_scores_, largest_of(kept_scores_),
               static_cast<float>(1 / decoding_.temperature), weights_);
  double sum = 0;
  order_.clear();
  for (size_t i = 0; i < kept_.size(); ++i) {
    order_.push_back({weights_[i], kept_[i]});
    sum += static_cast<double>(weights_[i]);
  }

  // Bisection for the number of tokens that are cut: each step looks at half as many tokens.
  const auto less = [](const Weight& a, const Weight& b) {
    return a.weight != b.weight ? a.weight < b.weight : a.token < b.token;
  };
  const double limit = (1 - decoding_.top_p) * sum;
  auto low = order_.begin(), high = order_.end();  // the first that stays is one of these, or high
  double below = 0;                                // sum of the weights before low
  while (low != high) {
    const auto middle = low + (high - low) / 2;
    std::nth_element(low, middle, high, less);
    double up_to_middle = below;
    for (auto it = low; it <= middle; ++it) up_to_middle += static_cast<double>(it->weight);
    if (up_to_middle <= limit) {
      below = up_to_middle;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const auto last_first = order_.end() - std::min<int64_t>(least_, std::ssize(order_));
  if (low > last_first) {
    std::nth_element(order_.begin(), last_first, order_.end(), less);
    low = last_first;
  }
  const Weight first = *low;
  size_t i = 0;
  std::erase_if(kept_, [&](int32_t token) { return less({weights_[i++], token}, first); });
}

}  // namespace lynceus::generate
