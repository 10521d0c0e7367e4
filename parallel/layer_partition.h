// The decoder layers of each pipeline stage: contiguous ranges that minimize the cost of the most
// expensive stage. Costs are in any unit (FLOPs per token); a layer with an adapter costs more, the
// first stage has the embedding, the last one the norm and the vocabulary.
#pragma once

#include <string>
#include <vector>

namespace lynceus::parallel {

/// Decoder layers [begin, begin + count).
struct LayerRange {
  int begin = 0;
  int count = 0;

  int end() const { return begin + count; }
  bool operator==(const LayerRange&) const = default;
};

/// One range per stage, each of at least one layer. They minimize the largest stage cost exactly
/// and, among all such partitions, the sum of squares of the stage costs. A non-empty
/// `override_list`
/// ("9,8,8,7", the value of parallel.layers) is used instead. UsageError for more stages than
/// layers and for a list that does not match the stages and layers.
std::vector<LayerRange> partition_layers(const std::vector<double>& layer_costs, double first_cost,
                                         double last_cost, int stages,
                                         const std::string& override_list = "");

}  // namespace lynceus::parallel
