#include "generate/processors.h"

#include <algorithm>
#include <limits>

namespace lynceus::generate {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

}  // namespace

void Processors::apply(std::span<const int32_t> history, std::span<float> scores) {
  if (decoding_.repetition_penalty != 1.0) penalize_repetition(history, scores);
  if (decoding_.no_repeat_ngram_size > 0) forbid_repeated_ngrams(history, scores);
  const auto length = static_cast<int64_t>(history.size());
  const bool too_short = length < decoding_.min_length || length - bos_ < decoding_.min_new_tokens;
  if (too_short && eos_ >= 0 && eos_ < static_cast<int64_t>(scores.size())) {
    scores[static_cast<size_t>(eos_)] = kForbidden;
  }
}

void Processors::penalize_repetition(std::span<const int32_t> history, std::span<float> scores) {
  const auto penalty = static_cast<float>(decoding_.repetition_penalty);
  // All are read before the first is written: a token that occurs twice is penalized once.
  penalized_.clear();
  for (const int32_t token : history) {
    const float score = scores[static_cast<size_t>(token)];
    penalized_.push_back(score < 0 ? score * penalty : score / penalty);
  }
  for (size_t i = 0; i < history.size(); ++i) {
    scores[static_cast<size_t>(history[i])] = penalized_[i];
  }
}

void Processors::forbid_repeated_ngrams(std::span<const int32_t> history,
                                        std::span<float> scores) const {
  const auto before = static_cast<size_t>(decoding_.no_repeat_ngram_size - 1);
  if (history.size() < before) return;
  const std::span<const int32_t> last = history.last(before);
  for (size_t end = before; end < history.size(); ++end) {
    if (std::ranges::equal(history.subspan(end - before, before), last)) {
      scores[static_cast<size_t>(history[end])] = kForbidden;
    }
  }
}

}  // namespace lynceus::generate
