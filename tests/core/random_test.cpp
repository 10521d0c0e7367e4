// The counter random numbers: their statistics, and values that must never change, because runs,
// data orders and initial weights are reproduced from them.
#include "core/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace lynceus {
namespace {

TEST(CounterRandom, IsAPureFunctionOfSeedNameAndIndex) {
  const CounterRandom a(1, "x"), again(1, "x"), other_seed(2, "x"), other_name(1, "y");
  for (uint64_t i : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40, ~uint64_t{0}}) {
    EXPECT_EQ(a.bits(i), again.bits(i));
    EXPECT_NE(a.bits(i), other_seed.bits(i));
    EXPECT_NE(a.bits(i), other_name.bits(i));
  }
}

TEST(CounterRandom, NeighbouringKeysDoNotOverlap) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (const char* name : {"", "a", "b", "ab", "ba"})
      for (uint64_t i = 0; i < 100; ++i) seen.insert(CounterRandom(seed, name).bits(i));
  EXPECT_EQ(seen.size(), 20u * 5 * 100);
}

TEST(CounterRandom, EveryBitIsOneHalfOfTheTime) {
  const CounterRandom random(3, "bits");
  constexpr int kCount = 40000;
  std::array<int, 64> ones{};
  for (int i = 0; i < kCount; ++i)
    for (int bit = 0; bit < 64; ++bit)
      ones[bit] += static_cast<int>(random.bits(static_cast<uint64_t>(i)) >> bit & 1);
  for (int bit = 0; bit < 64; ++bit)
    EXPECT_NEAR(ones[bit], kCount / 2, 5 * 100) << bit;  // five standard deviations
}

TEST(CounterRandom, UniformFillsItsBinsEvenly) {
  const CounterRandom random(4, "uniform");
  constexpr int kCount = 100000, kBins = 50;
  std::array<int, kBins> count{};
  for (int i = 0; i < kCount; ++i) {
    const double value = random.uniform(static_cast<uint64_t>(i));
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    ++count[static_cast<size_t>(value * kBins)];
  }
  double chi_square = 0;
  for (const int n : count) {
    const double difference = n - kCount / kBins;
    chi_square += difference * difference / (kCount / kBins);
  }
  EXPECT_LT(chi_square, 100);  // 49 degrees of freedom: mean 49, standard deviation 10
}

TEST(CounterRandom, NormalHasTheMomentsOfANormal) {
  const CounterRandom random(5, "normal");
  constexpr int kCount = 200000;
  double sums[5] = {}, lag = 0, previous = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal(static_cast<uint64_t>(i));
    ASSERT_TRUE(std::isfinite(x));
    for (int power = 1; power <= 4; ++power) sums[power] += std::pow(x, power) / kCount;
    lag += x * previous / kCount;
    previous = x;
  }
  EXPECT_NEAR(sums[1], 0.0, 0.012);  // five standard errors each
  EXPECT_NEAR(sums[2], 1.0, 0.016);
  EXPECT_NEAR(sums[3], 0.0, 0.05);
  EXPECT_NEAR(sums[4], 3.0, 0.12);
  EXPECT_NEAR(lag, 0.0, 0.012);
}

TEST(CounterRandom, BelowStaysBelowAndReachesEverything) {
  const CounterRandom random(6, "below");
  std::array<int, 7> count{};
  for (uint64_t i = 0; i < 70000; ++i) {
    const uint64_t value = random.below(i, 7);
    ASSERT_LT(value, 7u);
    ++count[value];
  }
  for (const int n : count) EXPECT_NEAR(n, 10000, 500);
  EXPECT_EQ(random.below(1, 1), 0u);
  EXPECT_LT(random.below(1, ~uint64_t{0}), ~uint64_t{0});
}

TEST(CounterRandom, TheStreamNeverChanges) {
  // splitmix64's published first outputs for seed 0 and FNV-1a's published hashes ...
  EXPECT_EQ(mix64(0x9E3779B97F4A7C15ull), 0xE220A8397B1DCDAFull);
  EXPECT_EQ(mix64(2 * 0x9E3779B97F4A7C15ull), 0x6E789E6AA1B965F4ull);
  EXPECT_EQ(hash_name(""), 0xCBF29CE484222325ull);
  EXPECT_EQ(hash_name("a"), 0xAF63DC4C8601EC8Cull);
  EXPECT_EQ(hash_name("foobar"), 0x85944171F73967E8ull);
  // ... and their combination here.
  const CounterRandom random(1234, "model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(random.bits(0), 6590953952926328723ull);
  EXPECT_EQ(random.bits(1), 4656079343997887561ull);
  EXPECT_EQ(random.bits(1'000'000'007), 15997570201446079787ull);
  EXPECT_EQ(random.below(2, 1000), 387u);
  EXPECT_DOUBLE_EQ(random.uniform(3), 0.6306111125197453);
  EXPECT_DOUBLE_EQ(random.normal(4), 0.20055736048777645);
}

}  // namespace
}  // namespace lynceus
