// The weighted mixture of datasets: the dataset and the sample at each index of the run, as a pure
// function of (seed, names, sizes, weights, index).
//
// The order of datasets is Tijdeman's (The chairman assignment problem, 1980): at every prefix the
// count of a dataset differs from weight · index by less than one. Within a dataset every epoch is
// a keyed permutation: each sample once before any repeats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lynceus::train {

struct MixtureDataset {
  std::string name;
  double weight = 1;  ///< any positive number; shares are weight / sum
  int64_t size = 0;   ///< samples
};

struct MixtureSample {
  int dataset = 0;
  int64_t sample = 0;  ///< in the dataset
};

class Mixture {
 public:
  /// Throws UsageError naming the dataset: no datasets, a weight that is not positive, no samples.
  Mixture(std::vector<MixtureDataset> datasets, uint64_t seed);

  /// The sample at the next index.
  MixtureSample next();
  /// Moves to an index; takes some nanoseconds per sample and dataset that it passes, from the
  /// start if the index lies before the current one.
  void seek(int64_t index);
  int64_t index() const { return index_; }

 private:
  int choose();

  std::vector<MixtureDataset> datasets_;
  uint64_t seed_;
  std::vector<double> shares_;
  std::vector<int64_t> counts_;
  int64_t index_ = 0;
};

}  // namespace lynceus::train
