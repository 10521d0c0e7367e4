// Two passes of dynamic programming over (stage, layers placed so far): the smallest possible
// largest cost, then the smallest sum of squares under that bound.
#include "parallel/layer_partition.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/check.h"

namespace lynceus::parallel {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct CostModel {
  std::vector<double> before;  ///< before[i]: cost of layers [0, i)
  double first_cost;
  double last_cost;
  int stages;

  CostModel(const std::vector<double>& layer_costs, double first, double last, int stage_count)
      : before(layer_costs.size() + 1), first_cost(first), last_cost(last), stages(stage_count) {
    for (size_t i = 0; i < layer_costs.size(); ++i) before[i + 1] = before[i] + layer_costs[i];
  }
  int layers() const { return static_cast<int>(before.size()) - 1; }
  double of(int stage, int begin, int end) const {
    return before[static_cast<size_t>(end)] - before[static_cast<size_t>(begin)] +
           (stage == 0 ? first_cost : 0) + (stage + 1 == stages ? last_cost : 0);
  }
};

/// Chooses the cuts that minimize combine(cost of the stages before, cost of this stage). Returns
/// cuts[stage] = first layer of the stage, and cuts[stages] = layers; `best` is the value reached.
template <typename Combine>
std::vector<int> best_cuts(const CostModel& model, const Combine& combine, double* best) {
  const int layers = model.layers();
  const size_t width = static_cast<size_t>(layers) + 1;
  std::vector<double> value(width, kInfinity);
  value[0] = 0;
  std::vector<std::vector<int>> from(static_cast<size_t>(model.stages), std::vector<int>(width));
  for (int stage = 0; stage < model.stages; ++stage) {
    std::vector<double> next(width, kInfinity);
    for (int end = stage + 1; end <= layers; ++end)
      for (int begin = stage; begin < end; ++begin) {
        const double candidate =
            combine(value[static_cast<size_t>(begin)], model.of(stage, begin, end));
        if (candidate < next[static_cast<size_t>(end)]) {
          next[static_cast<size_t>(end)] = candidate;
          from[static_cast<size_t>(stage)][static_cast<size_t>(end)] = begin;
        }
      }
    value = next;
  }
  *best = value[width - 1];
  std::vector<int> cuts(static_cast<size_t>(model.stages) + 1, layers);
  for (int stage = model.stages - 1; stage >= 0; --stage)
    cuts[static_cast<size_t>(stage)] =
        from[static_cast<size_t>(stage)][static_cast<size_t>(cuts[static_cast<size_t>(stage) + 1])];
  return cuts;
}

std::vector<LayerRange> ranges_of(const std::vector<int>& counts) {
  std::vector<LayerRange> ranges;
  int begin = 0;
  for (const int count : counts) {
    ranges.push_back({begin, count});
    begin += count;
  }
  return ranges;
}

std::vector<LayerRange> parse_override(const std::string& list, int layers, int stages) {
  std::vector<int> counts;
  int64_t sum = 0;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string item = list.substr(begin, end - begin);
    int count = 0;
    const auto [rest, fault] = std::from_chars(item.data(), item.data() + item.size(), count);
    if (fault != std::errc() || rest != item.data() + item.size() || count < 1)
      throw UsageError(
          "parallel.layers \"{}\": \"{}\" is not a number of layers: give whole numbers from 1, "
          "separated by commas",
          list, item);
    counts.push_back(count);
    sum += count;
    begin = end + 1;
  }
  if (counts.size() != static_cast<size_t>(stages))
    throw UsageError(
        "parallel.layers \"{}\" has {} numbers but parallel.pipeline is {}: give one for each "
        "stage",
        list, counts.size(), stages);
  if (sum != layers)
    throw UsageError(
        "parallel.layers \"{}\" adds up to {} but the model has {} decoder layers: change the list",
        list, sum, layers);
  return ranges_of(counts);
}

}  // namespace

std::vector<LayerRange> partition_layers(const std::vector<double>& layer_costs, double first_cost,
                                         double last_cost, int stages,
                                         const std::string& override_list) {
  LYNCEUS_CHECK(stages >= 1, "{} pipeline stages", stages);
  const int layers = static_cast<int>(layer_costs.size());
  if (stages > layers)
    throw UsageError(
        "parallel.pipeline is {} but the model has {} decoder layers and every stage needs one: "
        "set parallel.pipeline to at most {}",
        stages, layers, layers);
  if (!override_list.empty()) return parse_override(override_list, layers, stages);
  const CostModel model(layer_costs, first_cost, last_cost, stages);
  double bound = 0;
  best_cuts(
      model, [](double before, double cost) { return std::max(before, cost); }, &bound);
  // Differences of prefix sums round; costs that are equal in exact arithmetic must stay allowed.
  bound += 1e-9 * model.before.back();
  double squares = 0;
  const std::vector<int> cuts = best_cuts(
      model,
      [bound](double before, double cost) {
        return cost > bound ? kInfinity : before + cost * cost;
      },
      &squares);
  std::vector<int> counts;
  for (size_t stage = 0; stage + 1 < cuts.size(); ++stage)
    counts.push_back(cuts[stage + 1] - cuts[stage]);
  return ranges_of(counts);
}

}  // namespace lynceus::parallel
