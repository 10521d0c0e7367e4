// The partition is compared with every possible one, and invalid overrides are refused by name.
#include "parallel/layer_partition.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>
#include <random>

#include "core/error.h"

namespace lynceus::parallel {
namespace {

double largest_stage_cost(const std::vector<LayerRange>& ranges, const std::vector<double>& costs,
                          double first, double last) {
  double largest = 0;
  for (size_t stage = 0; stage < ranges.size(); ++stage) {
    double cost = (stage == 0 ? first : 0) + (stage + 1 == ranges.size() ? last : 0);
    for (int layer = ranges[stage].begin; layer < ranges[stage].end(); ++layer)
      cost += costs[static_cast<size_t>(layer)];
    largest = std::max(largest, cost);
  }
  return largest;
}

double best_by_trying_all(const std::vector<double>& costs, double first, double last, int stages) {
  double best = std::numeric_limits<double>::infinity();
  std::vector<LayerRange> ranges;
  const std::function<void(int)> place = [&](int begin) {
    const int left = stages - static_cast<int>(ranges.size());
    const int layers = static_cast<int>(costs.size()) - begin;
    if (left == 0) {
      if (layers == 0) best = std::min(best, largest_stage_cost(ranges, costs, first, last));
      return;
    }
    for (int count = 1; count <= layers; ++count) {
      ranges.push_back({begin, count});
      place(begin + count);
      ranges.pop_back();
    }
  };
  place(0);
  return best;
}

std::string fault_of(const std::string& list, int layers, int stages) {
  try {
    partition_layers(std::vector<double>(static_cast<size_t>(layers), 1.0), 0, 0, stages, list);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(LayerPartition, LargestStageIsTheSmallestPossible) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> cost(0.1, 2.0);
  for (int layers = 1; layers <= 9; ++layers)
    for (int stages = 1; stages <= layers; ++stages) {
      std::vector<double> costs(static_cast<size_t>(layers));
      for (double& value : costs) value = cost(random);
      const double first = cost(random), last = 2 * cost(random);
      const auto ranges = partition_layers(costs, first, last, stages);
      ASSERT_EQ(ranges.size(), static_cast<size_t>(stages));
      int next = 0;
      for (const LayerRange& range : ranges) {
        EXPECT_EQ(range.begin, next);
        EXPECT_GE(range.count, 1);
        next = range.end();
      }
      EXPECT_EQ(next, layers);
      EXPECT_NEAR(largest_stage_cost(ranges, costs, first, last),
                  best_by_trying_all(costs, first, last, stages), 1e-9);
    }
}

TEST(LayerPartition, EqualLayersAreSharedEvenly) {
  const auto ranges = partition_layers(std::vector<double>(32, 1.0), 0, 0, 4);
  for (const LayerRange& range : ranges) EXPECT_EQ(range.count, 8);
}

TEST(LayerPartition, AmongEqualsTheRestIsBalancedToo) {
  // The last stage costs 10 however the others share; they should get two layers each.
  const auto ranges = partition_layers({1, 1, 1, 1, 1, 1, 1}, 0, 9, 4);
  EXPECT_THAT(ranges, testing::ElementsAre(LayerRange{0, 2}, LayerRange{2, 2}, LayerRange{4, 2},
                                           LayerRange{6, 1}));
}

TEST(LayerPartition, CostlyEndsGetFewerLayers) {
  const auto ranges = partition_layers(std::vector<double>(12, 1.0), 1, 3, 3);
  EXPECT_THAT(ranges, testing::ElementsAre(LayerRange{0, 4}, LayerRange{4, 5}, LayerRange{9, 3}));
}

TEST(LayerPartition, TakesAnOverrideUnchanged) {
  const auto ranges = partition_layers(std::vector<double>(32, 1.0), 0, 0, 4, "9,8,8,7");
  EXPECT_THAT(ranges, testing::ElementsAre(LayerRange{0, 9}, LayerRange{9, 8}, LayerRange{17, 8},
                                           LayerRange{25, 7}));
}

TEST(LayerPartition, SaysWhichNumberToChange) {
  EXPECT_EQ(fault_of("", 2, 3),
            "parallel.pipeline is 3 but the model has 2 decoder layers and every stage needs one: "
            "set parallel.pipeline to at most 2");
  EXPECT_EQ(fault_of("2,2", 4, 3),
            "parallel.layers \"2,2\" has 2 numbers but parallel.pipeline is 3: give one for each "
            "stage");
  EXPECT_EQ(fault_of("2,3", 4, 2),
            "parallel.layers \"2,3\" adds up to 5 but the model has 4 decoder layers: change the "
            "list");
  for (const char* list : {"4,0", "2,x", "2,", ",4", "2;2", "-1,5", "2, 2", "99999999999,1"})
    EXPECT_THAT(fault_of(list, 4, 2), testing::HasSubstr("is not a number of layers")) << list;
}

}  // namespace
}  // namespace lynceus::parallel
