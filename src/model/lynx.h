// LynxModel: one rank's part of the model: the vision encoder and the bridge (replicated), and its
// pipeline stage of the LLM (sharded over grid.tensor).
#pragma once

#include <functional>
#include <vector>

#include "model/bridge.h"
#include "model/stage.h"
#include "model/vision_encoder.h"
#include "parallel/layer_partition.h"

namespace lynceus::model {

/// Which samples give a parameter a gradient. A step decides it from the plan of the global batch,
/// never from zero values: a parameter that no sample reaches is not reduced and not updated.
enum class Reach { kAnySample, kAnyMedia, kAnyVideo };

struct LynxModel {
  ModelConfig config;
  VisionEncoder vision;
  Bridge bridge;
  LlmStage stage;

  /// All parameters of this rank, in a fixed order.
  void visit_parameters(const ParameterVisitor& visit);
  /// Copies the vision encoder's matrices into the GEMM library's order and frees the originals; to
  /// be called after loading.
  void pack(const Runtime& rt);
  /// For a model that only answers, after loading instead of pack(): frees all gradients, and packs
  /// every matrix so that no row of a product depends on another (kernels::PackedOrder::kRows).
  /// With rt.ordered_sums the values of a row are then a function of its sequence alone.
  void freeze(const Runtime& rt);
};

/// This rank's part, with zeros as values. `partition`: the decoder layers of each stage.
LynxModel make_lynx(const Runtime& rt, const ModelConfig& config,
                    const std::vector<parallel::LayerRange>& partition, double label_smoothing);

/// The decoder layers of each stage: balanced by work, or as in the user's list ("9,8,8,7"). Throws
/// UsageError if the list does not fit.
std::vector<parallel::LayerRange> partition_model(const ModelConfig& config, int stages,
                                                  const std::string& override_list);

/// The module of a parameter by its released name, also with a suffix, as tensors of a checkpoint
/// have: for names in files. Where there is a Parameter, its `module` says it. Every name that is
/// not below "vision_encoder." or "LLM." counts as the bridge's, absolute_frame_pos_embed included.
Module module_of(const std::string& name);

/// Whether the parameter's gradient is summed over the world (vision encoder and bridge) or over
/// grid.data (LLM and adapters).
bool in_vision_branch(const Parameter& parameter);
Reach reach_of(const Parameter& parameter);

/// Selects parameters; an empty filter selects all.
using ParameterFilter = std::function<bool(const Parameter& parameter)>;

/// Sets the selected parameters, equal on every grid: norm weights and scalings 1, biases 0, all
/// others N(0, std²) as a pure function of (seed, name, global flat index). An error of kRequeue if
/// this process is asked to stop meanwhile (core/process/stop_request.h).
void initialize(const Runtime& rt, LynxModel* model, uint64_t seed,
                const ParameterFilter& filter = {});

}  // namespace lynceus::model
