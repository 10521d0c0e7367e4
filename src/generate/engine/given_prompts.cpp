#include "generate/engine/given_prompts.h"

#include <algorithm>
#include <utility>

namespace lynceus::generate {

GivenPrompts::GivenPrompts(std::vector<Prompt> prompts, std::vector<PromptMedia> media,
                           Pixels pixels)
    : prompts_(std::move(prompts)), media_(std::move(media)), pixels_(std::move(pixels)) {}

std::optional<Prompt> GivenPrompts::next() {
  while (at_ < prompts_.size() && rejected_.contains(prompts_[at_].media)) ++at_;
  if (at_ == prompts_.size()) return std::nullopt;
  return prompts_[at_++];
}

void GivenPrompts::take(const Prompt& prompt, std::vector<Search::Answer> answers) {
  answers_[prompt.row] = std::move(answers);
}

std::vector<int64_t> GivenPrompts::media_to_come(size_t most) const {
  std::vector<int64_t> media;
  for (size_t i = at_; i < prompts_.size() && media.size() < most; ++i) {
    const int64_t number = prompts_[i].media;
    if (number >= 0 && !rejected_.contains(number) &&
        std::find(media.begin(), media.end(), number) == media.end())
      media.push_back(number);
  }
  return media;
}

bool GivenPrompts::is_needed(int64_t media) const {
  return std::any_of(prompts_.begin() + static_cast<std::ptrdiff_t>(at_), prompts_.end(),
                     [media](const Prompt& prompt) { return prompt.media == media; });
}

}  // namespace lynceus::generate
