// Each rank compares its part with the same part of the file.
#include "verify/differences.h"

#include <algorithm>

namespace lynceus::verify {

std::pair<double, double> squares(const Runtime& rt, const io::SafetensorsFile& file,
                                  const std::string& entry, const Parameter& parameter,
                                  const Tensor& ours, double scale) {
  io::Slice slice;
  if (parameter.sharded())
    slice = {parameter.shard.axis, std::min(parameter.shard.offset, parameter.shard.global_extent),
             parameter.valid_extent()};
  const Tensor theirs = Tensor::empty(rt.host(), slice.of(parameter.global_shape()), DType::kF64);
  file.read(entry, slice, theirs);
  double difference = 0, reference = 0;
  // Padding rows come after the real ones, so both parts are read from their beginning.
  for (int64_t i = 0; i < theirs.size(); ++i) {
    const double t = theirs.data<double>()[i];
    const double d = scale * static_cast<double>(ours.data<float>()[i]) - t;
    difference += d * d;
    reference += t * t;
  }
  return {difference, reference};
}

std::map<std::string, std::pair<double, double>> sum_over_world(
    const Runtime& rt, const std::vector<std::string>& names,
    const std::map<std::string, std::pair<double, double>>& mine) {
  const Tensor flat =
      Tensor::zeros(rt.host(), {static_cast<int64_t>(names.size()), 3}, DType::kF64);
  double* values = flat.data<double>();
  for (size_t i = 0; i < names.size(); ++i)
    if (const auto found = mine.find(names[i]); found != mine.end()) {
      values[3 * i] = found->second.first;
      values[3 * i + 1] = found->second.second;
      values[3 * i + 2] = 1;
    }
  rt.grid.world->all_reduce(flat);
  std::map<std::string, std::pair<double, double>> all;
  for (size_t i = 0; i < names.size(); ++i)
    if (values[3 * i + 2] > 0) all[names[i]] = {values[3 * i], values[3 * i + 1]};
  return all;
}

}  // namespace lynceus::verify
