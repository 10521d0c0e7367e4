// Which decoder layers each pipeline stage runs: contiguous ranges that make the costliest stage as
// cheap as possible. Costs are in any one unit (FLOPs of a token); a layer with an adapter costs
// more, the first stage embeds, the last one has the norm and the vocabulary. Pure; used by the
// model builder.
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

/// One range a stage, each of at least one layer, minimising the largest stage cost exactly and,
/// among those, the sum of squares of the stage costs. A non-empty `override_list` ("9,8,8,7", the
/// value of parallel.layers) is taken as it is. Throws UsageError for more stages than layers and
/// for a list that does not fit.
std::vector<LayerRange> partition_layers(const std::vector<double>& layer_costs, double first_cost,
                                         double last_cost, int stages,
                                         const std::string& override_list = "");

}  // namespace lynceus::parallel
