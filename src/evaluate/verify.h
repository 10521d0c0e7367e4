// Compares this build, on this machine and any grid, with reference cases: loss, logits, every
// gradient, AdamW trajectories, final parameters. Users run it on a new cluster before they spend
// node-hours.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/config.h"
#include "train/step.h"

namespace lynceus {

/// What f32 must reach; a grid may not loosen it.
struct Tolerances {
  double loss = 1e-5;              ///< absolute
  double logits = 1e-4;            ///< absolute, attended rows
  double gradient = 2e-4;          ///< relative L2 a tensor
  double trajectory_loss = 1e-4;   ///< relative
  double gradient_norm = 1e-3;     ///< relative
  double final_parameters = 1e-2;  ///< L2(ours - expected) / L2(expected - start), all together
  double vision_features = 1e-4;   ///< absolute
};

/// One line of the report.
struct Finding {
  std::string what;  ///< "loss", "gradients (40 tensors)", ...
  double error = 0;
  double tolerance = 0;
  std::string worst;  ///< where the error is largest, or why there is no number
  bool passed() const { return error <= tolerance; }  // false for NaN
};

struct VerifyOptions {
  StepOptions step;
  int64_t micro_batch_tokens = 4096;
  int64_t vision_window = 0;
  std::string layers;  ///< parallel.layers
};

/// Collective over the world; the same findings on every rank.
std::vector<Finding> verify_case(const Runtime& rt, const std::filesystem::path& directory,
                                 const VerifyOptions& options, const Tolerances& tolerances);

}  // namespace lynceus
