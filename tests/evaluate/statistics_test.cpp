// Tests, intervals and agreement equal those of scipy, scikit-learn and statsmodels
// (tests/oracle/make_statistics.py).
#include "evaluate/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "evaluate/bootstrap.h"
#include "io/files/json.h"

namespace lynceus::evaluate {
namespace {

constexpr double kTolerance = 1e-9;

const io::Json& oracle() {
  static const io::Json values =
      io::Json::read(LYNCEUS_SOURCE_DIR "/tests/data/statistics_scipy.json");
  return values;
}

std::vector<double> numbers_of(const io::Json& list) {
  std::vector<double> numbers;
  for (const io::Json& element : list.elements()) numbers.push_back(element.number());
  return numbers;
}

void expect_interval(const Interval& found, const io::Json& expected) {
  EXPECT_NEAR(found.low, expected.at(0).number(), kTolerance) << expected.where();
  EXPECT_NEAR(found.high, expected.at(1).number(), kTolerance) << expected.where();
}

TEST(Statistics, McNemar) {
  for (const io::Json& one : oracle().at("mcnemar").elements()) {
    const double expected = one.at("p").number();
    const PairCounts counts{0, one.at("only_first").integer(), one.at("only_second").integer(), 0};
    EXPECT_NEAR(mcnemar_p(counts), expected, kTolerance * expected) << one.dump();
  }
}

TEST(Statistics, Proportions) {
  for (const io::Json& one : oracle().at("proportion").elements()) {
    const int64_t right = one.at("right").integer(), of = one.at("of").integer();
    const double confidence = one.at("confidence").number();
    expect_interval(wilson_interval(right, of, confidence), one.at("wilson"));
  }
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Statistics, PairsNeededGiveThePowerOfTheExactTest) {
  for (const io::Json& one : oracle().at("needed").elements()) {
    const PairCounts counts{one.at("both").integer(), one.at("only_first").integer(),
                            one.at("only_second").integer(), one.at("neither").integer()};
    const TestPlan plan{one.at("alpha").number(), one.at("power").number()};
    EXPECT_EQ(pairs_needed(counts, 1, plan), one.at("needed").integer()) << one.dump();
    EXPECT_GE(one.at("exact_power").number(), plan.power) << one.dump();
  }
  EXPECT_FALSE(pairs_needed(PairCounts{5, 3, 3, 1}));
  EXPECT_FALSE(pairs_needed(0.0, 1.0));
  // (1.959964 + 0.841621)^2 = 7.848879
  EXPECT_EQ(pairs_needed(0.1, 0.25), 197);
  EXPECT_EQ(pairs_needed(-0.1, 0.25), 197);
  EXPECT_EQ(pairs_needed(-0.1, 0.25, 2), 393);
  EXPECT_FALSE(pairs_needed(1e-300, 1.0)) << "beyond any number";
}

TEST(Statistics, Holm) {
  for (const io::Json& one : oracle().at("holm").elements())
    EXPECT_THAT(holm(numbers_of(one.at("p"))), testing::Pointwise(testing::DoubleNear(kTolerance),
                                                                  numbers_of(one.at("corrected"))));
}

TEST(Statistics, Kappa) {
  for (const io::Json& one : oracle().at("kappa").elements()) {
    const auto kappa = cohens_kappa(numbers_of(one.at("table")));
    ASSERT_TRUE(kappa);
    EXPECT_NEAR(*kappa, one.at("kappa").number(), kTolerance);
  }
  EXPECT_FALSE(cohens_kappa(std::vector<double>{0, 0, 0, 0}));
  EXPECT_FALSE(cohens_kappa(std::vector<double>{7, 0, 0, 0})) << "one verdict for all items";
}

/// The sums of a case: cells of both right, only the first, only the second, neither.
ClusterSums sums_of(const io::Json& tables) {
  ClusterSums sums(4);
  for (size_t i = 0; i < tables.size(); ++i) sums.add(std::to_string(i), numbers_of(tables.at(i)));
  return sums;
}

TEST(Statistics, BootstrapDrawsWholeClusters) {
  const Statistic mean = [](std::span<const double> t) {
    return (t[2] - t[1]) / (t[0] + t[1] + t[2] + t[3]);
  };
  const Statistic kappa = [](std::span<const double> t) {
    return cohens_kappa(t).value_or(std::nan(""));
  };
  int compared = 0;
  for (const io::Json& one : oracle().at("bootstrap").elements()) {
    const ClusterSums sums = sums_of(one.at("tables"));
    const BootstrapOptions options{static_cast<uint64_t>(one.at("seed").integer()),
                                   one.at("resamples").integer(), one.at("confidence").number()};
    for (const auto& [name, statistic] : {std::pair("mean", mean), std::pair("kappa", kappa)}) {
      const io::Json expected = one.at(name);
      const auto found = bootstrap_interval(sums, statistic, options);
      if (expected.is_null()) continue;  // scipy gives none if one resample has no kappa
      if (expected.at(0).number() == expected.at(1).number()) {
        EXPECT_FALSE(found) << "all resamples are equal";
        continue;
      }
      ASSERT_TRUE(found);
      expect_interval(*found, expected);
      ++compared;
    }
  }
  EXPECT_EQ(compared, 6);
}

TEST(Statistics, BootstrapOfOneClusterOrEqualOnesSaysNothing) {
  const Statistic mean = [](std::span<const double> t) { return t[1] / t[0]; };
  ClusterSums sums(2);
  sums.add("a", std::vector<double>{1, 1});
  sums.add("a", std::vector<double>{1, 0});
  EXPECT_EQ(sums.clusters(), 1u);
  EXPECT_FALSE(bootstrap_interval(sums, mean));
  sums.add("b", std::vector<double>{2, 1});
  EXPECT_FALSE(bootstrap_interval(sums, mean));
  sums.add("c", std::vector<double>{1, 1});
  EXPECT_TRUE(bootstrap_interval(sums, mean));
}

TEST(Statistics, DesignEffect) {
  // Two items a cluster with equal values count half; with opposite ones they cancel.
  ClusterSums equal(2), opposite(2), single(2);
  for (int i = 0; i < 10; ++i) {
    const double x = i % 2 == 0 ? 1 : -1;
    equal.add(std::to_string(i), std::vector<double>{2, 2 * x});
    opposite.add(std::to_string(i), std::vector<double>{2, 0});
    single.add(std::to_string(i), std::vector<double>{1, x});
  }
  EXPECT_NEAR(design_effect(equal, 20), 2, kTolerance);
  EXPECT_NEAR(design_effect(opposite, 20), 0, kTolerance);
  EXPECT_NEAR(design_effect(single, 10), 1, kTolerance);
  ClusterSums same(2);
  same.add("a", std::vector<double>{3, 3});
  same.add("b", std::vector<double>{1, 1});
  EXPECT_EQ(design_effect(same, 4), 1);
}

}  // namespace
}  // namespace lynceus::evaluate
