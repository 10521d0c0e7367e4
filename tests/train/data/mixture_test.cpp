// The mixture: counts near weight times index at every prefix, each sample once per epoch. All of
// it is a pure function of (seed, names, sizes, weights, index).
#include "train/data/mixture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/random.h"

namespace lynceus::train {
namespace {

std::vector<MixtureDataset> datasets_of(const std::vector<double>& weights, int64_t size = 101) {
  std::vector<MixtureDataset> datasets;
  for (size_t i = 0; i < weights.size(); ++i)
    datasets.push_back({"dataset " + std::to_string(i), weights[i], size});
  return datasets;
}

using Draw = std::pair<int, int64_t>;

std::vector<Draw> draw(Mixture* mixture, int64_t count) {
  std::vector<Draw> drawn;
  for (int64_t i = 0; i < count; ++i) {
    const MixtureSample sample = mixture->next();
    drawn.emplace_back(sample.dataset, sample.sample);
  }
  return drawn;
}

TEST(Mixture, CountsAreWithinOneOfWeightTimesIndexAtEveryPrefix) {
  std::vector<std::vector<double>> all = {{1},
                                          {1, 1},
                                          {3, 1},
                                          {1, 2, 3, 4},
                                          {1e-6, 1},
                                          {1, 1e6},
                                          {1e-3, 1, 1e3},
                                          {0.1, 0.2, 0.7},
                                          {1, 1, 1, 1, 1, 1, 1, 1e-4}};
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const CounterRandom random(seed, "weights");
    all.emplace_back();
    for (uint64_t i = 0; i < 2 + seed; ++i)
      all.back().push_back(std::exp(6 * random.uniform(i) - 3));
  }
  for (const std::vector<double>& weights : all) {
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    Mixture mixture(datasets_of(weights), 1);
    std::vector<double> counts(weights.size(), 0);
    for (int64_t index = 1; index <= 5000; ++index) {
      ++counts[static_cast<size_t>(mixture.next().dataset)];
      for (size_t i = 0; i < weights.size(); ++i)
        ASSERT_LT(std::abs(counts[i] - weights[i] / sum * static_cast<double>(index)), 1 + 1e-6)
            << "dataset " << i << " of " << weights.size() << " at " << index;
    }
  }
}

TEST(Mixture, EachSampleComesOnceAnEpochInAnOrderOfItsOwn) {
  for (const int64_t size : {1, 2, 3, 5, 7, 97, 128, 1000}) {
    Mixture mixture(datasets_of({1}, size), 3);
    std::set<std::vector<Draw>> orders;
    for (int epoch = 0; epoch < 4; ++epoch) {
      const std::vector<Draw> drawn = draw(&mixture, size);
      EXPECT_EQ(std::set<Draw>(drawn.begin(), drawn.end()).size(), static_cast<size_t>(size));
      for (const auto& [dataset, sample] : drawn) EXPECT_TRUE(sample >= 0 && sample < size);
      orders.insert(drawn);
    }
    EXPECT_TRUE(size < 7 || orders.size() == 4u) << "epochs of " << size << " in the same order";
  }
}

TEST(Mixture, SeekIsStepByStep) {
  Mixture straight(datasets_of({5, 2, 1}, 13), 9);
  const std::vector<Draw> all = draw(&straight, 400);
  Mixture other(datasets_of({5, 2, 1}, 13), 9);
  for (const int64_t index : {0, 1, 17, 200, 350, 12}) {  // also backwards
    other.seek(index);
    EXPECT_EQ(other.index(), index);
    EXPECT_EQ(draw(&other, 50), std::vector<Draw>(all.begin() + index, all.begin() + index + 50));
  }
}

TEST(Mixture, IsAPureFunctionOfSeedNamesSizesAndWeights) {
  const auto drawn = [](const std::vector<MixtureDataset>& datasets, uint64_t seed) {
    Mixture mixture(datasets, seed);
    return draw(&mixture, 300);
  };
  const std::vector<MixtureDataset> datasets = datasets_of({3, 1});
  EXPECT_EQ(drawn(datasets, 1), drawn(datasets, 1));
  EXPECT_NE(drawn(datasets, 1), drawn(datasets, 2));
  std::vector<MixtureDataset> renamed = datasets, grown = datasets, heavier = datasets;
  renamed[0].name = "another";
  grown[0].size = 102;
  heavier[0].weight = 4;
  for (const auto& changed : {renamed, grown, heavier})
    EXPECT_NE(drawn(changed, 1), drawn(datasets, 1));
  // Only the ratio of weights matters, and the order of a dataset does not depend on the others.
  EXPECT_EQ(drawn(datasets_of({6, 2}), 1), drawn(datasets, 1));
  const auto of_first = [](const std::vector<Draw>& all) {
    std::vector<int64_t> samples;
    for (const auto& [dataset, sample] : all)
      if (dataset == 0 && samples.size() < 100) samples.push_back(sample);
    return samples;
  };
  EXPECT_EQ(of_first(drawn(datasets_of({3, 1, 1}), 1)), of_first(drawn(datasets, 1)));
}

TEST(Mixture, RefusesSourcesByName) {
  EXPECT_THROW(Mixture({}, 1), UsageError);
  EXPECT_THROW(Mixture(datasets_of({1, 0}), 1), UsageError);
  EXPECT_THROW(Mixture(datasets_of({1, -1}), 1), UsageError);
  EXPECT_THROW(Mixture(datasets_of({std::nan("")}), 1), UsageError);
  EXPECT_THROW(Mixture(datasets_of({1}, 0), 1), UsageError);
}

}  // namespace
}  // namespace lynceus::train
