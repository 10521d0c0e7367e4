// Compares this build, on this machine, on any grid and in either precision, with reference cases:
// loss, logits, every gradient, AdamW trajectories, final parameters.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "train/config.h"
#include "train/step/step.h"

namespace lynceus::verify {

/// The largest errors that are accepted, by default those of f32; they are the same on every grid.
/// A quantity without a value is not judged and has no line in the report.
struct Tolerances {
  bool loss_is_relative = false;
  double loss = 1e-5;
  std::optional<double> logits = 1e-4;       ///< absolute, attended rows
  double gradient = 2e-4;                    ///< relative L2 per tensor
  std::optional<double> gradients_together;  ///< relative L2 over all gradients of the case
  double trajectory_loss = 1e-4;             ///< relative
  double gradient_norm = 1e-3;               ///< relative
  /// L2(ours - expected) / L2(expected - start), all together
  std::optional<double> final_parameters = 1e-2;
  double position_embedding = 1e-4;              ///< absolute
  std::optional<double> vision_features = 1e-4;  ///< absolute
  /// Above 0: the error of a tensor's gradient may also be this times the error of PyTorch's bf16
  /// for it, which the case contains. If it does not, a tensor of one value is not judged by
  /// itself: its error is a single sample, and may be large if the value is a sum that cancels.
  double times_torch = 0;
};

/// For f32 or bf16. In bf16 losses and gradients are judged, but not logits, final parameters and
/// patch features: the bounds of f32 mean nothing after a rounding of 2^-9, and AdamW turns small
/// differences of gradients into full steps.
Tolerances tolerances_of(DType precision);

/// One line of the report.
struct Finding {
  std::string what;  ///< "loss", "gradients (40 tensors)", ...
  double error = 0;
  double tolerance = 0;
  std::string worst;  ///< where the error is largest, or why there is no number
  bool passed() const { return error <= tolerance; }  // false for NaN
};

struct VerifyOptions {
  train::StepOptions step;
  int64_t micro_batch_tokens = train::kMicroBatchTokens;
  int64_t vision_window = 0;
  std::string layers;  ///< parallel.layers
};

/// Collective over the world; the same findings on every rank.
std::vector<Finding> verify_case(const Runtime& rt, const std::filesystem::path& directory,
                                 const VerifyOptions& options, const Tolerances& tolerances);

}  // namespace lynceus::verify
