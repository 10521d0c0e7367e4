// Where the decoder gets prompts from and gives answers to. Every rank of a replica has the same
// feed, calls it at the same moments and gets the same, so that no plan is communicated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "generate/search.h"

namespace lynceus::generate {

/// What the model is asked: one round of one row.
struct Prompt {
  uint64_t row = 0;                // in the whole input; what is drawn follows from it
  std::vector<int32_t> token_ids;  // [text], BOS first
  std::vector<int32_t> positions;  // [visual + text]; empty: 0, 1, 2, ...
  int64_t media = -1;              // number of its media; −1: text only
  const Settings* settings = nullptr;
  int32_t eos = -1;
  int round = 0;                                 // of the row
  Draw draw = {};                                // replaces the random draws; empty: random
  std::vector<std::vector<int32_t>> given = {};  // answers whose log-probabilities are wanted
                                                 // instead of decoding
};

/// All media of a row: images with visual tokens each, or the frames of one video.
struct PromptMedia {
  std::vector<int64_t> item_frames;  // 1 for an image
  bool is_video = false;
};

class Feed {
 public:
  virtual ~Feed() = default;

  /// The next prompt to be answered; nullopt: none for now, or none at all if no prompt is being
  /// answered.
  virtual std::optional<Prompt> next() = 0;
  /// The answers of a prompt, best first.
  virtual void take(const Prompt& prompt, std::vector<Search::Answer> answers) = 0;

  /// The media of the prompts to come, in their order, each once, `most` of them.
  virtual std::vector<int64_t> media_to_come(size_t most) const = 0;
  /// Whether a prompt to come uses this media.
  virtual bool is_needed(int64_t media) const = 0;
  virtual PromptMedia describe(int64_t media) const = 0;
  /// f32 [frames, 3, side, side], normalized, in host memory; called on the rank that encodes it,
  /// from several threads. InputError if it is missing or damaged.
  virtual Tensor pixels(int64_t media) const = 0;
  /// The media cannot be read: no prompt that uses it follows.
  virtual void reject(int64_t media, const std::string& reason) = 0;
};

}  // namespace lynceus::generate
