// Fills a model from weights on disk. One data replica reads, each of its ranks only its slices;
// the others receive by broadcast.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "io/weights/weights.h"
#include "model/lynx.h"

namespace lynceus::model {

/// Which parameters a source is to supply.
using NameFilter = std::function<bool(const std::string& name)>;
bool is_backbone(const std::string& name);  ///< the LLM without its adapters
bool is_vision(const std::string& name);    ///< the vision encoder

/// Every parameter of the whole model (all stages, global shapes), without allocating any.
std::vector<io::ExpectedTensor> expected_tensors(const ModelConfig& config);

/// Throws one InputError listing all missing, unexpected and mis-shaped tensors. pos_embed may have
/// another square grid.
void check_weights(const ModelConfig& config, const io::WeightSource& source,
                   const NameFilter& filter);

/// Collective over the world; only rank 0's replica touches `source`. The ViT's positions are
/// interpolated to the model's resolution.
void load_weights(const Runtime& rt, LynxModel* model, const io::WeightSource& source,
                  const NameFilter& filter);

}  // namespace lynceus::model
