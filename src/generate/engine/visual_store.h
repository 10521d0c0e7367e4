// The visual tokens of the media of prompts, encoded once for all prompts that use them. The media
// of the next prompts is encoded together, its work spread over all ranks of the replica as in
// training (train/step/vision_branch.h); the tokens are on the first stage.
#pragma once

#include <map>

#include "generate/engine/feed.h"
#include "train/step/vision_branch.h"

namespace lynceus::generate {

class VisualStore {
 public:
  /// `group`: how many media are encoded together, at most.
  VisualStore(const Runtime& rt, const model::LynxModel& model, size_t group)
      : rt_(rt), model_(model), group_(group) {}

  /// Makes the visual tokens of the next prompt's media ready. Collective over the replica; the
  /// ranks agree on media that cannot be read, which the feed then rejects.
  void prepare(Feed* feed);
  /// [visual tokens, hidden] on the first stage, undefined elsewhere. `media` is prepared.
  const Tensor& tokens(int64_t media) const { return tokens_.at(media); }
  /// Frees what the feed needs no more.
  void forget_unneeded(const Feed& feed);

  int64_t media_encoded() const { return encoded_; }  ///< by the replica so far

 private:
  void encode(const std::vector<int64_t>& media, Feed* feed);

  const Runtime& rt_;
  const model::LynxModel& model_;
  size_t group_;
  std::map<int64_t, Tensor> tokens_;
  int64_t encoded_ = 0;
};

}  // namespace lynceus::generate
