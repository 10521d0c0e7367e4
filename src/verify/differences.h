// How far named tensors of a file are from ours, summed over the ranks that hold their parts.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/weights/safetensors.h"
#include "model/lynx.h"

namespace lynceus::verify {

/// Σ (ours·scale − theirs)² and Σ theirs² over this rank's part of a named global tensor.
std::pair<double, double> squares(const Runtime& rt, const io::SafetensorsFile& file,
                                  const std::string& entry, const Parameter& parameter,
                                  const Tensor& ours, double scale);

/// Collective over the world: adds the pairs of each name over the ranks that hold a part of the
/// tensor.
std::map<std::string, std::pair<double, double>> sum_over_world(
    const Runtime& rt, const std::vector<std::string>& names,
    const std::map<std::string, std::pair<double, double>>& mine);

}  // namespace lynceus::verify
