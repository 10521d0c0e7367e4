// Each rank sums over its part; the sums are added over the world.
#include "verify/fingerprints.h"

#include <algorithm>
#include <cmath>

#include "model/parameter_value.h"
#include "parallel/agreement.h"

namespace lynceus::verify {
namespace {

constexpr int kSums = 5;  // Σ x, Σ x², Σ x·cos(flat index), Σ (x − start)², ranks that hold a part

/// Adds this rank's part to the sums of a tensor. The flat index is that of the global tensor.
void add_part(const Parameter& parameter, const Tensor& value, const Tensor& start, double* sums) {
  const bool by_columns = parameter.shard.axis == 1;
  const int64_t rows = value.rank() == 0 ? 1 : by_columns ? value.dim(0) : parameter.valid_extent();
  const int64_t columns = value.rank() == 0 || value.dim(0) == 0 ? 1 : value.size() / value.dim(0);
  const int64_t stride = by_columns ? parameter.shard.global_extent : columns;
  const int64_t first = !parameter.sharded() ? 0
                        : by_columns         ? parameter.shard.offset
                                             : parameter.shard.offset * columns;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const double x = value.data<float>()[r * columns + c];
      const double moved = x - static_cast<double>(start.data<float>()[r * columns + c]);
      sums[0] += x;
      sums[1] += x * x;
      sums[2] += x * std::cos(static_cast<double>(first + r * stride + c));
      sums[3] += moved * moved;
    }
  sums[4] += 1;
}

/// The estimate of ‖ours − expected‖.
double difference(const Fingerprint& expected, const double* sums) {
  const double changes[] = {std::abs(sums[0] - expected.sum),
                            std::abs(std::sqrt(sums[1]) - expected.l2),
                            std::sqrt(2.0) * std::abs(sums[2] - expected.cosine)};
  double most = 0;
  for (const double change : changes) most = change <= most ? most : change;  // a NaN stays
  return most;
}

}  // namespace

Tensor start_of(const Runtime& rt, const ReferenceCase& reference, const Parameter& parameter) {
  const Tensor start = Tensor::empty(rt.host(), parameter.value.shape());
  reference.weights->read_shard(parameter.name, parameter.shard, start);
  return start;
}

std::optional<Finding> compare_fingerprints(const Runtime& rt, const ReferenceCase& reference,
                                            train::Optimizer* optimizer, double tolerance) {
  std::vector<std::string> names;
  for (const auto& [name, fingerprint] : reference.final_fingerprints)
    if (!reference.final || !reference.final->has(name)) names.push_back(name);
  if (names.empty()) return std::nullopt;
  const Tensor table =
      Tensor::zeros(rt.host(), {static_cast<int64_t>(names.size()), kSums}, DType::kF64);
  parallel::agree(*rt.grid.world, [&] {
    if (rt.grid.data->rank() != 0) return;
    for (const train::TrainedParameter& trained : optimizer->parameters()) {
      const Parameter& parameter = *trained.parameter;
      const auto found = std::find(names.begin(), names.end(), parameter.name);
      if (found == names.end() || !trained.counts_in_norm) continue;
      add_part(parameter, model::on_host(rt, parameter.value), start_of(rt, reference, parameter),
               table.data<double>() + kSums * (found - names.begin()));
    }
  });
  rt.grid.world->all_reduce(table);
  Finding finding{fmt::format("final parameters, sums of {} more", names.size()), 0, tolerance, ""};
  double differences = 0, moved = 0, largest = -1;
  for (size_t i = 0; i < names.size(); ++i) {
    const double* sums = table.data<double>() + kSums * static_cast<int64_t>(i);
    const double error = difference(reference.final_fingerprints.at(names[i]), sums);
    differences += error * error;
    moved += sums[3];
    if (error <= largest) continue;
    largest = error;
    finding.worst = names[i];
  }
  finding.error = std::sqrt(differences / std::max(moved, 1e-300));
  for (size_t i = 0; i < names.size(); ++i)
    if (table.data<double>()[kSums * static_cast<int64_t>(i) + 4] == 0)
      finding = {finding.what, INFINITY, finding.tolerance, names[i] + " is not trained here"};
  return finding;
}

}  // namespace lynceus::verify
