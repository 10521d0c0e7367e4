// The passes over rows, at odd sizes, against plain loops.
#include "generate/row_math.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/random.h"
#include "generate/largest.h"

namespace lynceus::generate {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr size_t kSizes[] = {1, 15, 16, 17, 511, 512, 513, 3000, 32001};

std::vector<float> random_row(size_t size, uint64_t seed) {
  const CounterRandom random(seed, "row");
  std::vector<float> row(size);
  for (size_t i = 0; i < size; ++i) row[i] = static_cast<float>(5 * random.normal(i) - 30);
  if (size > 1) row[size / 2] = -kInfinity;
  return row;
}

TEST(RowMathTest, EqualsPlainLoops) {
  for (const size_t size : kSizes) {
    const std::vector<float> row = random_row(size, size);
    double sum = 0;
    for (const float x : row) sum += std::exp(static_cast<double>(x));
    EXPECT_EQ(largest_of(row), *std::ranges::max_element(row));
    const double log_sum = log_sum_exp(row);
    EXPECT_NEAR(log_sum, std::log(sum), 1e-6) << size;

    std::vector<float> scores(size), weights(size);
    subtract(row, log_sum, scores);
    exponentials(row, largest_of(row), 0.5f, weights);
    for (size_t i = 0; i < size; ++i) {
      if (row[i] == -kInfinity) {
        EXPECT_EQ(scores[i], -kInfinity);
        EXPECT_EQ(weights[i], 0);
        continue;
      }
      EXPECT_NEAR(scores[i], static_cast<double>(row[i]) - log_sum, 3e-6);
      const double weight = std::exp(0.5 * static_cast<double>(row[i] - largest_of(row)));
      EXPECT_NEAR(weights[i], weight, 1e-6 * weight + 1e-30);
    }
  }
}

TEST(RowMathTest, ARowThatIsNotFiniteHasNoFiniteSum) {
  for (const size_t size : {1u, 16u, 700u}) {
    for (size_t place = 0; place < size; place += 7) {
      for (const float bad : {kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> row(size, 1.0f);
        row[place] = bad;
        EXPECT_FALSE(std::isfinite(log_sum_exp(row))) << size << ' ' << place;
      }
    }
    EXPECT_FALSE(std::isfinite(log_sum_exp(std::vector<float>(size, -kInfinity))));
  }
}

TEST(LargestTest, EqualsASort) {
  for (const size_t size : kSizes) {
    for (const int64_t count : {1, 2, 10, 400}) {
      Largest largest;
      largest.reset(count);
      std::vector<Candidate> all, ranked;
      for (int32_t beam = 0; beam < 3; ++beam) {
        std::vector<float> row = random_row(size, 7 * size + static_cast<size_t>(beam));
        for (float& x : row) x = std::round(x);  // many equal ones
        const double base = 2.0 * beam;
        largest.scan(row, base, beam);
        for (size_t i = 0; i < size; ++i) {
          if (row[i] > -kInfinity) {
            all.push_back({base + static_cast<double>(row[i]), beam, static_cast<int32_t>(i)});
          }
        }
      }
      largest.take(&ranked);
      std::ranges::stable_sort(all, std::greater<>(), &Candidate::value);
      all.resize(std::min(all.size(), static_cast<size_t>(count)));
      ASSERT_EQ(ranked.size(), all.size());
      for (size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(ranked[i].value, all[i].value);
        EXPECT_EQ(ranked[i].beam, all[i].beam);
        EXPECT_EQ(ranked[i].token, all[i].token);
      }
    }
  }
}

}  // namespace
}  // namespace lynceus::generate
