#include "generate/beams.h"

#include <algorithm>
#include <functional>

#include "core/check.h"
#include "generate/row_math.h"

namespace lynceus::generate {

BeamSearch::BeamSearch(const Settings& settings, const Search::Vocabulary& vocabulary, int64_t keep,
                       Draw draw)
    : settings_(settings),
      vocabulary_(vocabulary),
      keep_(keep),
      draw_(std::move(draw)),
      processors_(settings, settings.counted_bos(), vocabulary.eos),
      filter_(settings, 2),  // EOS and another
      scores_(static_cast<size_t>(vocabulary.size)) {
  for (std::vector<Beam>* beams : {&beams_, &next_beams_}) {
    beams->resize(static_cast<size_t>(settings.num_beams));
    for (Beam& beam : *beams)
      beam.history.reserve(static_cast<size_t>(settings.max_new_tokens) + 1);
  }
  if (settings.lynx()) beams_[0].history.push_back(vocabulary.bos);
  next_.reserve(beams_.size());
}

void BeamSearch::advance(std::span<const float> logits) {
  if (settings_.do_sample) {
    draw_candidates(logits);
  } else {
    find_candidates(logits);
  }
  next_.clear();
  if (ranked_.empty()) {  // no token may follow: the beams remain as they are
    offer_open_beams();
    done_ = true;
    return;
  }
  ++generated_;
  select();
  if (none_can_win(ranked_.front().value)) {
    done_ = true;
  } else if (generated_ == settings_.max_new_tokens || next_.empty()) {
    offer_open_beams();
    done_ = true;
  }
  if (done_) next_.clear();
}

void BeamSearch::score(int64_t beam, std::span<const float> logits) {
  const auto size = static_cast<size_t>(vocabulary_.size);
  const std::span<const float> row = logits.subspan(static_cast<size_t>(beam) * size, size);
  subtract(row, log_sum_of(row), scores_);
  processors_.apply(beams_[static_cast<size_t>(beam)].history, scores_);
}

void BeamSearch::find_candidates(std::span<const float> logits) {
  largest_.reset(2 * settings_.num_beams);
  for (int64_t beam = 0; beam < live_; ++beam) {
    score(beam, logits);
    largest_.scan(scores_, beams_[static_cast<size_t>(beam)].sum, static_cast<int32_t>(beam));
  }
  largest_.take(&ranked_);
}

void BeamSearch::draw_candidates(std::span<const float> logits) {
  choices_.clear();
  for (int64_t beam = 0; beam < live_; ++beam) {
    score(beam, logits);
    const double sum = beams_[static_cast<size_t>(beam)].sum;
    const std::span<const int32_t> kept = filter_.keep(scores_);
    // The first step draws from num_beams equal beams.
    const int64_t copies = generated_ == 0 ? settings_.num_beams : 1;
    for (int64_t copy = 0; copy < copies; ++copy) {
      for (const int32_t token : kept) {
        const double score = static_cast<double>(scores_[static_cast<size_t>(token)]);
        // lynx: the temperature divides what has been summed before, too.
        const double value = settings_.lynx() ? (sum + score) / settings_.temperature
                                              : sum + score / settings_.temperature;
        choices_.push_back({static_cast<int32_t>(beam + copy), token, value, 0});
      }
    }
  }
  ranked_.clear();
  if (choices_.empty()) return;
  set_probabilities(choices_);
  draw_(generated_, choices_, 2 * settings_.num_beams, &drawn_);
  for (const int32_t index : drawn_) {
    const Choice& choice = choices_.at(static_cast<size_t>(index));
    const int32_t beam = generated_ == 0 ? 0 : choice.beam;
    const auto place =
        std::ranges::upper_bound(ranked_, choice.value, std::greater<>(), &Candidate::value);
    ranked_.insert(place, {choice.value, beam, choice.token});
  }
}

void BeamSearch::select() {
  const auto most = static_cast<size_t>(settings_.num_beams);
  for (size_t rank = 0; rank < ranked_.size() && next_.size() < most; ++rank) {
    const Candidate& candidate = ranked_[rank];
    const Beam& parent = beams_[static_cast<size_t>(candidate.beam)];
    if (candidate.token == vocabulary_.eos) {
      if (rank < most) finish(parent, true, candidate.value);
      continue;
    }
    Beam& beam = next_beams_[next_.size()];
    beam.history.assign(parent.history.begin(), parent.history.end());
    beam.history.push_back(candidate.token);
    beam.sum = candidate.value;
    next_.push_back({candidate.token, candidate.beam});
  }
  std::swap(beams_, next_beams_);
  live_ = std::ssize(next_);
}

void BeamSearch::finish(const Beam& beam, bool ended, double sum) {
  // A history ends before its EOS; BOS counts under lynx, EOS under hf: either way the same number.
  const int64_t length = ended ? generated_ : generated_ + settings_.counted_bos();
  const double score = score_of(sum, length, settings_.length_penalty);
  const auto worst = std::ranges::min_element(finished_, {}, &Search::Answer::score);
  const bool full = std::ssize(finished_) == settings_.num_beams;
  if (full && !(score > worst->score)) return;
  if (full) finished_.erase(worst);
  Search::Answer answer{{beam.history.begin() + settings_.counted_bos(), beam.history.end()},
                        ended,
                        length,
                        sum,
                        score};
  if (ended) answer.tokens.push_back(vocabulary_.eos);
  finished_.push_back(std::move(answer));
}

bool BeamSearch::none_can_win(double best) const {
  if (std::ssize(finished_) < settings_.num_beams) return false;
  if (settings_.early_stopping == "true") return true;
  const bool at_any_length = settings_.early_stopping == "never" && settings_.length_penalty > 0;
  const int64_t length =
      (at_any_length ? settings_.max_new_tokens : generated_) + settings_.counted_bos();
  const auto worst = std::ranges::min_element(finished_, {}, &Search::Answer::score);
  return worst->score >= score_of(best, length, settings_.length_penalty);
}

void BeamSearch::offer_open_beams() {
  for (int64_t beam = 0; beam < live_; ++beam) {
    const Beam& open = beams_[static_cast<size_t>(beam)];
    finish(open, false, open.sum);
  }
}

void BeamSearch::append_answers(std::vector<Search::Answer>* answers) const {
  // Of equal scores the one that came later first.
  std::vector<Search::Answer> sorted(finished_.rbegin(), finished_.rend());
  std::ranges::stable_sort(sorted, std::greater<>(), &Search::Answer::score);
  const int64_t count = std::min(keep_, std::ssize(sorted));
  answers->insert(answers->end(), sorted.begin(), sorted.begin() + count);
}

}  // namespace lynceus::generate
