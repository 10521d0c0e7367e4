// Beam search and beam sampling of one row, by the rules of transformers' BeamSearchScorer
// (generation/beam_search.py). n is num_beams.
//
//   candidates   the 2n best of running sum + processed log-probability over all beams and tokens;
//                with sampling 2n that are drawn
//   next beams   in order: EOS among the first n finishes its beam, an EOS further down is passed
//                over; other tokens fill the next n beams
//   finished     at most n, those with the best scores: sum / length^length_penalty
//   done         early_stopping; at max_new_tokens, when the open beams are offered to the finished
//
// Beams that no token may follow disappear, so fewer than n may be live; transformers fills the
// places with beams of score −1e9 or −inf there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "generate/largest.h"
#include "generate/processors.h"
#include "generate/strategy.h"

namespace lynceus::generate {

class BeamSearch : public Strategy {
 public:
  /// `keep`: number of answers.
  BeamSearch(const Settings& settings, const Search::Vocabulary& vocabulary, int64_t keep,
             Draw draw);

  std::span<const Search::Next> next() const override { return next_; }
  void advance(std::span<const float> logits) override;
  bool done() const override { return done_; }
  void append_answers(std::vector<Search::Answer>* answers) const override;

 private:
  struct Beam {
    std::vector<int32_t> history;  // BOS if it counts, then the new tokens
    double sum = 0;
  };

  /// Sets scores_: the processed log-probabilities of what follows beam `beam`.
  void score(int64_t beam, std::span<const float> logits);
  void find_candidates(std::span<const float> logits);
  void draw_candidates(std::span<const float> logits);
  /// The next beams from ranked_.
  void select();
  void finish(const Beam& beam, bool ended, double sum);
  /// `best`: the largest candidate of the step, EOS or not.
  bool none_can_win(double best) const;
  void offer_open_beams();

  Settings settings_;
  Search::Vocabulary vocabulary_;
  int64_t keep_;
  Draw draw_;
  Processors processors_;
  TokenFilter filter_;

  std::vector<Beam> beams_, next_beams_;  // live_ are in use; the others keep their memory
  int64_t live_ = 1;
  std::vector<Search::Next> next_;
  std::vector<Search::Answer> finished_;  // in the order in which they came
  int64_t generated_ = 0;                 // new tokens of each live beam
  bool done_ = false;

  std::vector<float> scores_;  // [size]
  Largest largest_;
  std::vector<Candidate> ranked_;
  std::vector<Choice> choices_;
  std::vector<int32_t> drawn_;
};

}  // namespace lynceus::generate
