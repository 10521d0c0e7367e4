// The decoding of one row: greedy, sampling, beam search or beam sampling, by the settings. The
// caller computes logits; Search says which sequences it wants them for.
//
//   Search search(settings, {vocab_size, bos, eos}, row);
//   while (!search.done()) {
//     // logits of the prompt's last position at first, then of each search.next()
//     search.advance(logits);
//   }
//   search.answers();
//
// A row never sees another row: its answers do not depend on the batch or the grid. The rules are
// those of transformers 4.28.1 for one row alone, or of 4.38 (Settings::length).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "generate/sampling.h"
#include "generate/settings.h"

namespace lynceus::generate {

class Strategy;

class Search {
 public:
  /// Token ids of the model. `eos` outside [0, size): answers end at max_new_tokens only.
  struct Vocabulary {
    int64_t size;
    int32_t bos, eos;
  };
  /// A live sequence: `token` continues the sequence with index `parent` among the live sequences
  /// of the step before.
  struct Next {
    int32_t token;
    int32_t parent;
  };
  /// `tokens`: the new ones, without BOS, with EOS if `ended`. `length`: what divides the score.
  /// `sum`: beams: of the processed log-probabilities; one beam: of the model's log-probabilities.
  /// `score`: sum / length^length_penalty.
  struct Answer {
    std::vector<int32_t> tokens;
    bool ended;
    int64_t length;
    double sum, score;
  };

  /// `row`: number of the row in the whole input. What is drawn is a function of the seed, `row`
  /// and the step. `draw`: replaces the random draws; empty: random.
  Search(const Settings& settings, const Vocabulary& vocabulary, uint64_t row, Draw draw = {});
  /// No decoding: the log-probabilities of given answers (generate/given_answers.h), in their
  /// order.
  Search(std::vector<std::vector<int32_t>> answers, const Vocabulary& vocabulary);
  ~Search();
  Search(Search&&) noexcept;
  Search& operator=(Search&&) noexcept;

  /// Number of sequences whose logits advance() wants: 1 before the first advance(), when the last
  /// logits of the prompt serve all beams; then next().size(); 0 when done.
  int64_t live() const;
  /// What each live sequence continues with; empty before the first advance() and when done.
  std::span<const Next> next() const { return next_; }
  /// logits [live, size] f32: logits of the last position of each live sequence, in order.
  /// NumericError if one has NaN, +inf or no finite value. May not be called when done().
  void advance(std::span<const float> logits);
  bool done() const;
  /// num_return_sequences of them, fewer if there are no more. Beams: best first. Sampling under
  /// lynx and with one beam: each is drawn on its own, in order. May only be called when done().
  std::vector<Answer> answers() const;

 private:
  int64_t vocab_size_;
  std::vector<std::unique_ptr<Strategy>> strategies_;
  std::vector<Next> next_;
  bool started_ = false;
};

}  // namespace lynceus::generate
