#include "generate/one_sequence.h"

#include <algorithm>

#include "core/check.h"

namespace lynceus::generate {

OneSequence::OneSequence(const Settings& settings, const Search::Vocabulary& vocabulary, Draw draw)
    : settings_(settings),
      vocabulary_(vocabulary),
      draw_(std::move(draw)),
      processors_(settings, settings.counted_bos(), vocabulary.eos),
      filter_(settings, 1),
      scores_(static_cast<size_t>(vocabulary.size)) {
  history_.reserve(static_cast<size_t>(settings.max_new_tokens) + 1);
  if (settings.lynx()) history_.push_back(vocabulary.bos);
  next_.reserve(1);
}

void OneSequence::advance(std::span<const float> logits) {
  const double log_sum = log_sum_of(logits);
  const std::optional<int32_t> token = settings_.do_sample ? drawn(logits) : best(logits);
  next_.clear();
  if (!token) {
    done_ = true;
    return;
  }
  sum_ += static_cast<double>(logits[static_cast<size_t>(*token)]) - log_sum;
  history_.push_back(*token);
  ++generated_;
  ended_ = *token == vocabulary_.eos;
  done_ = ended_ || generated_ == settings_.max_new_tokens;
  if (!done_) next_.push_back({*token, 0});
}

void OneSequence::start_after(std::span<const int32_t> tokens) {
  history_.insert(history_.end(), tokens.begin(), tokens.end());
  generated_ = std::ssize(tokens);
}

void OneSequence::score(std::span<const float> logits) {
  std::ranges::copy(logits, scores_.begin());
  processors_.apply(history_, scores_);
}

std::optional<int32_t> OneSequence::best(std::span<const float> logits) {
  score(logits);
  largest_.reset(1);
  largest_.scan(scores_, 0, 0);
  if (!largest_.full()) return std::nullopt;
  return largest_.least().token;
}

std::span<const Choice> OneSequence::choices(std::span<const float> logits) {
  score(logits);
  choices_.clear();
  for (const int32_t token : filter_.keep(scores_)) {
    const double score = static_cast<double>(scores_[static_cast<size_t>(token)]);
    choices_.push_back({0, token, score / settings_.temperature, 0});
  }
  set_probabilities(choices_);
  return choices_;
}

std::optional<int32_t> OneSequence::drawn(std::span<const float> logits) {
  if (choices(logits).empty()) return std::nullopt;
  draw_(generated_, choices_, 1, &drawn_);
  LYNCEUS_CHECK(drawn_.size() == 1, "expected one draw, found {}", drawn_.size());
  return choices_.at(static_cast<size_t>(drawn_[0])).token;
}

void OneSequence::append_answers(std::vector<Search::Answer>* answers) const {
  // As with beams: BOS counts under lynx, EOS does not.
  const int64_t length = generated_ + (ended_ ? 0 : settings_.counted_bos());
  const auto first = history_.begin() + settings_.counted_bos();
  answers->push_back({{first, history_.end()},
                      ended_,
                      length,
                      sum_,
                      score_of(sum_, length, settings_.length_penalty)});
}

}  // namespace lynceus::generate
