// Relative L2 errors of gradients and their bounds.
#include "verify/gradients.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "model/parameter_value.h"
#include "parallel/agreement.h"
#include "verify/differences.h"

namespace lynceus::verify {
namespace {

const std::string kPrefix = "grad.";

/// The largest accepted error of a tensor's gradient; nullopt if it is not judged by itself.
std::optional<double> bound_of(const ReferenceCase& reference, const std::string& name,
                               const Tolerances& tolerances) {
  if (tolerances.times_torch == 0) return tolerances.gradient;
  const auto torch = reference.torch_errors.find(name);
  if (torch != reference.torch_errors.end())
    return std::max(tolerances.gradient, tolerances.times_torch * torch->second);
  if (reference.expected->entry(kPrefix + name).shape.elements() == 1) return std::nullopt;
  return tolerances.gradient;
}

double relative_l2(const std::pair<double, double>& squares) {
  const double error = std::sqrt(squares.first) / std::max(std::sqrt(squares.second), 1e-12);
  return std::isnan(error) ? INFINITY : error;
}

}  // namespace

void compare_gradients(const Runtime& rt, const ReferenceCase& reference,
                       train::Optimizer* optimizer, int64_t scored, const train::GlobalReach& reach,
                       const Tolerances& tolerances, std::vector<Finding>* findings) {
  std::vector<std::string> names;
  for (const auto& entry : reference.expected->entries())
    if (entry.name.starts_with(kPrefix)) names.push_back(entry.name.substr(kPrefix.size()));
  std::map<std::string, std::pair<double, double>> mine;
  // Trained tensors that this rank counts; some cases store only the small tensors.
  int64_t reached = 0;
  parallel::agree(*rt.grid.world, [&] {
    for (const train::TrainedParameter& trained : optimizer->parameters()) {
      const Parameter& parameter = *trained.parameter;
      const bool given = reference.expected->has(kPrefix + parameter.name);
      const bool counts = trained.counts_in_norm && rt.grid.data->rank() == 0;
      const bool first_shard = !parameter.sharded() || rt.grid.tensor->rank() == 0;
      if (counts && first_shard && reach.reaches(trained.reach)) ++reached;
      if (given && counts)
        mine[parameter.name] =
            squares(rt, *reference.expected, kPrefix + parameter.name, parameter,
                    model::on_host(rt, parameter.grad), 1.0 / static_cast<double>(scored));
    }
  });
  const auto all = sum_over_world(rt, names, mine);
  Finding each{"", 0, tolerances.gradient, ""};
  size_t judged = 0;
  const auto report = [&](double error, double bound, const std::string& worst) {
    if (error * each.tolerance > each.error * bound) each = {"", error, bound, worst};
  };
  for (const std::string& name : names) {
    const std::optional<double> bound = bound_of(reference, name, tolerances);
    if (const auto found = all.find(name); found == all.end())
      report(INFINITY, tolerances.gradient, name + " is not trained here");
    else if (bound)
      report(relative_l2(found->second), *bound, name);
    judged += bound.has_value();
  }
  each.what =
      fmt::format("gradients{} ({} of {} tensors)", tolerances.gradients_together ? ", each" : "",
                  judged, rt.grid.world->all_reduce(reached));
  if (tolerances.gradients_together) {
    std::pair<double, double> sums;
    for (const auto& [name, pair] : all) {
      sums.first += pair.first;
      sums.second += pair.second;
    }
    findings->push_back(
        {"gradients together", relative_l2(sums), *tolerances.gradients_together, ""});
  }
  findings->push_back(each);
}

}  // namespace lynceus::verify
