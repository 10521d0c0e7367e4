#include "generate/search.h"

#include <utility>

#include "core/check.h"
#include "generate/beams.h"
#include "generate/given_answers.h"
#include "generate/one_sequence.h"
#include "generate/strategy.h"

namespace lynceus::generate {

Search::Search(const Settings& settings, const Vocabulary& vocabulary, uint64_t row, Draw draw)
    : vocab_size_(vocabulary.size) {
  const bool beams = settings.num_beams > 1;
  // Under lynx each sample is a search of its own; hf takes the best of one search.
  const bool searches = settings.do_sample && (settings.lynx() || !beams);
  const int64_t count = searches ? settings.num_return_sequences : 1;
  for (int64_t sequence = 0; sequence < count; ++sequence) {
    Draw draws = draw ? draw : random_draw(settings.seed, row, static_cast<uint64_t>(sequence));
    if (beams) {
      strategies_.push_back(std::make_unique<BeamSearch>(
          settings, vocabulary, searches ? 1 : settings.num_return_sequences, std::move(draws)));
    } else {
      strategies_.push_back(std::make_unique<OneSequence>(settings, vocabulary, std::move(draws)));
    }
  }
  next_.reserve(static_cast<size_t>(count * settings.num_beams));
}

Search::Search(std::vector<std::vector<int32_t>> answers, const Vocabulary& vocabulary)
    : vocab_size_(vocabulary.size) {
  strategies_.push_back(std::make_unique<GivenAnswers>(std::move(answers), vocabulary));
}

Search::~Search() = default;
Search::Search(Search&&) noexcept = default;
Search& Search::operator=(Search&&) noexcept = default;

int64_t Search::live() const { return started_ ? std::ssize(next_) : 1; }

bool Search::done() const { return live() == 0; }

void Search::advance(std::span<const float> logits) {
  LYNCEUS_CHECK(!done(), "advance() of a row that is done");
  LYNCEUS_CHECK(std::ssize(logits) == live() * vocab_size_, "expected {} x {} logits, found {}",
                live(), vocab_size_, logits.size());
  const auto size = static_cast<size_t>(vocab_size_);
  next_.clear();
  int64_t offset = 0;  // of the strategy's sequences among all
  for (const std::unique_ptr<Strategy>& strategy : strategies_) {
    if (strategy->done()) continue;
    const int64_t count = started_ ? std::ssize(strategy->next()) : 1;
    strategy->advance(
        logits.subspan(static_cast<size_t>(offset) * size, static_cast<size_t>(count) * size));
    for (const Next& next : strategy->next()) {
      next_.push_back({next.token, next.parent + static_cast<int32_t>(offset)});
    }
    if (started_) offset += count;
  }
  started_ = true;
}

std::vector<Search::Answer> Search::answers() const {
  LYNCEUS_CHECK(done(), "answers() of a row that is not done");
  std::vector<Answer> answers;
  for (const std::unique_ptr<Strategy>& strategy : strategies_) {
    strategy->append_answers(&answers);
  }
  return answers;
}

}  // namespace lynceus::generate
