// The weighted mixture of datasets: which dataset and which of its samples stands at each index of
// the run, as a pure function of (seed, names, sizes, weights, index).
//
// The order of datasets is Tijdeman's (The chairman assignment problem, 1980): at every prefix the
// count of a dataset differs from weight · index by less than one. Within a dataset every epoch is
// a keyed permutation: each sample once before any repeats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lynceus::train {

struct MixtureSource {
  std::string name;
  double weight = 1;  ///< any positive number; shares are weight / sum
  int64_t size = 0;   ///< samples
};

struct MixtureSample {
  int source = 0;
  int64_t sample = 0;  ///< in the source
};

class Mixture {
 public:
  /// Throws UsageError naming the source: no sources, a weight that is not positive, no samples.
  Mixture(std::vector<MixtureSource> sources, uint64_t seed);

  /// The sample at the next index.
  MixtureSample next();
  /// Goes to an index (some nanoseconds a sample and source, forwards from where it stands).
  void seek(int64_t index);
  int64_t index() const { return index_; }

 private:
  int choose();

  std::vector<MixtureSource> sources_;
  uint64_t seed_;
  std::vector<double> shares_;
  std::vector<int64_t> counts_;
  int64_t index_ = 0;
};

}  // namespace lynceus::train
