// LynxModel: what one rank holds of the model: the vision encoder and the bridge (replicated), and
// its pipeline stage of the LLM (sharded over grid.tensor).
#pragma once

#include <vector>

#include "model/bridge.h"
#include "model/stage.h"
#include "model/vision_encoder.h"
#include "parallel/layer_partition.h"

namespace lynceus::model {

/// Which samples make a parameter part of a step. Decided from the plan of the global batch, never
/// from zero values: what is not reached is neither reduced, decayed nor moved.
enum class Reach { kAnySample, kAnyMedia, kAnyVideo };

struct LynxModel {
  ModelConfig config;
  VisionEncoder vision;
  Bridge bridge;
  LlmStage stage;

  /// All parameters of this rank, in a fixed order.
  void visit_parameters(const ParameterVisitor& visit);
  /// Weights that only run forward into the GEMM library's order, originals freed. After loading.
  void pack(const Runtime& rt);
};

/// Layers are cut into stages by `partition` (one range a stage).
LynxModel make_lynx(const Runtime& rt, const ModelConfig& config,
                    const std::vector<parallel::LayerRange>& partition, double label_smoothing);

/// The partition of the decoder layers by required work, or the user's list ("9,8,8,7").
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

/// Random values for every parameter, equal on every grid: linear weights N(0, std), norm weights
/// 1, biases 0, as a pure function of (seed, name, global flat index).
void initialize(const Runtime& rt, LynxModel* model, uint64_t seed);

}  // namespace lynceus::model
