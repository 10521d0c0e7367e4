// Tijdeman's order of sources and a keyed permutation within each. Used by the trainer.
#include "train/data/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "train/data/permutation.h"

namespace lynceus::train {

Mixture::Mixture(std::vector<MixtureSource> sources, uint64_t seed)
    : sources_(std::move(sources)), seed_(seed), counts_(sources_.size(), 0) {
  if (sources_.empty()) throw UsageError("data.source: expected one source at least, found none");
  double sum = 0;
  for (const MixtureSource& source : sources_) {
    if (!(source.weight > 0) || !std::isfinite(source.weight))
      throw UsageError("data.source {}: expected a positive weight, found {}", source.name,
                       source.weight);
    if (source.size < 1)
      throw UsageError("data.source {}: expected samples, found none", source.name);
    sum += source.weight;
  }
  for (const MixtureSource& source : sources_) shares_.push_back(source.weight / sum);
}

int Mixture::choose() {
  // Of the sources that may be taken without coming a whole sample too early, the one that is due
  // first.
  const double slack =
      sources_.size() < 2 ? 0 : 1.0 / (2.0 * static_cast<double>(sources_.size()) - 2.0);
  const double after = static_cast<double>(index_ + 1);
  int best = -1;
  double best_due = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < sources_.size(); ++i) {
    const double behind = shares_[i] * after - static_cast<double>(counts_[i]);
    const double due = (1.0 - slack - behind) / shares_[i];
    if (behind >= slack - 1e-9 && due < best_due) {
      best_due = due;
      best = static_cast<int>(i);
    }
  }
  return best < 0 ? 0 : best;
}

MixtureSample Mixture::next() {
  const int source = choose();
  const int64_t count = counts_[source]++;
  ++index_;
  const int64_t size = sources_[source].size;
  const uint64_t epoch = static_cast<uint64_t>(count / size);
  const CounterRandom keys(seed_, "epoch order of " + sources_[source].name);
  const Permutation order(static_cast<uint64_t>(size), keys.bits(epoch));
  return {source, static_cast<int64_t>(order(static_cast<uint64_t>(count % size)))};
}

void Mixture::seek(int64_t index) {
  if (index < index_) {
    std::fill(counts_.begin(), counts_.end(), 0);
    index_ = 0;
  }
  for (; index_ < index; ++index_) ++counts_[choose()];
}

}  // namespace lynceus::train
