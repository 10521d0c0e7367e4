// Tijdeman's order of datasets and a keyed permutation within each.
#include "train/data/mixture.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "train/data/permutation.h"

namespace lynceus::train {

Mixture::Mixture(std::vector<MixtureDataset> datasets, uint64_t seed)
    : datasets_(std::move(datasets)), seed_(seed), counts_(datasets_.size(), 0) {
  if (datasets_.empty()) throw UsageError("data.source: expected at least one dataset, found none");
  double sum = 0;
  for (const MixtureDataset& dataset : datasets_) {
    if (!(dataset.weight > 0) || !std::isfinite(dataset.weight))
      throw UsageError("data.source {}: expected a positive weight, found {}", dataset.name,
                       dataset.weight);
    if (dataset.size < 1)
      throw UsageError("data.source {}: expected samples, found none", dataset.name);
    sum += dataset.weight;
  }
  for (const MixtureDataset& dataset : datasets_) shares_.push_back(dataset.weight / sum);
}

int Mixture::choose() {
  // Of the datasets that would not be a full sample ahead of their share, the one that is due
  // first.
  const double slack =
      datasets_.size() < 2 ? 0 : 1.0 / (2.0 * static_cast<double>(datasets_.size()) - 2.0);
  const double after = static_cast<double>(index_ + 1);
  int best = -1;
  double best_due = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < datasets_.size(); ++i) {
    const double deficit = shares_[i] * after - static_cast<double>(counts_[i]);
    const double due = (1.0 - slack - deficit) / shares_[i];
    if (deficit >= slack - 1e-9 && due < best_due) {
      best_due = due;
      best = static_cast<int>(i);
    }
  }
  return best < 0 ? 0 : best;
}

MixtureSample Mixture::next() {
  const int dataset = choose();
  const int64_t count = counts_[dataset]++;
  ++index_;
  const int64_t size = datasets_[dataset].size;
  const uint64_t epoch = static_cast<uint64_t>(count / size);
  const CounterRandom keys(seed_, "epoch order of " + datasets_[dataset].name);
  const Permutation order(static_cast<uint64_t>(size), keys.bits(epoch));
  return {dataset, static_cast<int64_t>(order(static_cast<uint64_t>(count % size)))};
}

void Mixture::seek(int64_t index) {
  if (index < index_) {
    std::fill(counts_.begin(), counts_.end(), 0);
    index_ = 0;
  }
  for (; index_ < index; ++index_) ++counts_[choose()];
}

}  // namespace lynceus::train
