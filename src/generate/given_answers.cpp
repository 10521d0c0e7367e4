#include "generate/given_answers.h"

#include <numeric>
#include <utility>

#include "core/check.h"

namespace lynceus::generate {

GivenAnswers::GivenAnswers(std::vector<std::vector<int32_t>> answers,
                           const Search::Vocabulary& vocabulary)
    : answers_(std::move(answers)),
      vocabulary_(vocabulary),
      sums_(answers_.size(), 0.0),
      live_(answers_.size()) {
  LYNCEUS_CHECK(!answers_.empty(), "no answer is given");
  for (const std::vector<int32_t>& answer : answers_) {
    LYNCEUS_CHECK(!answer.empty(), "a given answer has no token");
    for (const int32_t token : answer)
      LYNCEUS_CHECK(token >= 0 && token < vocabulary_.size, "token {} of {}", token,
                    vocabulary_.size);
  }
  std::iota(live_.begin(), live_.end(), size_t{0});
}

void GivenAnswers::advance(std::span<const float> logits) {
  const auto size = static_cast<size_t>(vocabulary_.size);
  const bool is_first = !std::exchange(started_, true);
  double log_sum = 0;
  std::vector<size_t> rest;
  next_.clear();
  for (size_t place = 0; place < live_.size(); ++place) {
    // The last logits of the prompt serve all answers.
    const std::span<const float> row = logits.subspan(is_first ? 0 : place * size, size);
    if (place == 0 || !is_first) log_sum = log_sum_of(row);
    const size_t answer = live_[place];
    const int32_t token = answers_[answer][fed_];
    sums_[answer] += static_cast<double>(row[static_cast<size_t>(token)]) - log_sum;
    if (fed_ + 1 == answers_[answer].size()) continue;
    rest.push_back(answer);
    next_.push_back({token, static_cast<int32_t>(is_first ? 0 : place)});
  }
  live_ = std::move(rest);
  ++fed_;
}

void GivenAnswers::append_answers(std::vector<Search::Answer>* answers) const {
  for (size_t i = 0; i < answers_.size(); ++i) {
    const auto length = static_cast<int64_t>(answers_[i].size());
    answers->push_back({answers_[i], answers_[i].back() == vocabulary_.eos, length, sums_[i],
                        score_of(sums_[i], length, /*length_penalty=*/1)});
  }
}

}  // namespace lynceus::generate
