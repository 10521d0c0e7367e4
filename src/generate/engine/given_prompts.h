// A feed of prompts that are all known from the start; it keeps their answers.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "generate/engine/feed.h"

namespace lynceus::generate {

class GivenPrompts : public Feed {
 public:
  using Pixels = std::function<Tensor(int64_t media)>;

  /// `media`: described by its number.
  GivenPrompts(std::vector<Prompt> prompts, std::vector<PromptMedia> media, Pixels pixels);

  std::optional<Prompt> next() override;
  void take(const Prompt& prompt, std::vector<Search::Answer> answers) override;
  std::vector<int64_t> media_to_come(size_t most) const override;
  bool is_needed(int64_t media) const override;
  PromptMedia describe(int64_t media) const override {
    return media_.at(static_cast<size_t>(media));
  }
  Tensor pixels(int64_t media) const override { return pixels_(media); }
  void reject(int64_t media, const std::string& reason) override { rejected_[media] = reason; }

  /// By Prompt::row.
  const std::map<uint64_t, std::vector<Search::Answer>>& answers() const { return answers_; }
  /// By number of the media.
  const std::map<int64_t, std::string>& rejected() const { return rejected_; }

 private:
  std::vector<Prompt> prompts_;
  std::vector<PromptMedia> media_;
  Pixels pixels_;
  size_t at_ = 0;  // the next prompt
  std::map<uint64_t, std::vector<Search::Answer>> answers_;
  std::map<int64_t, std::string> rejected_;
};

}  // namespace lynceus::generate
