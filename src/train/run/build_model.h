// Builds the model of a run and fills it with the weights that the configuration names.
#pragma once

#include <string>

#include "io/weights/weights.h"
#include "model/lynx.h"
#include "train/run/run_config.h"
#include "train/run/weight_origins.h"

namespace lynceus::train {

/// The LLM's tensors from model.weights and model.weights_delta, under Lynx's names, [PAD] row
/// included.
io::WeightSourcePtr open_backbone(const model::LlmConfig& config, const DeltaConfig& delta);
/// The encoder's tensors from vision.weights, under Lynx's names.
io::WeightSourcePtr open_encoder(const model::VisionConfig& config);

/// The digest that checkpoints keep of the LLM's weights: of its files and their config.json.
/// Collective.
std::string backbone_digest(const model::LlmConfig& config, const io::WeightSource& source,
                            parallel::Communicator& world);

/// Builds the model with random values, then loads the weights of LLM and encoder where the config
/// names files. Collective over the world. `tokenizer` is Tokenizer::describe(); `origins` gets for
/// each module where its values come from.
model::LynxModel build_model(const Runtime& rt, const RunConfig& config,
                             const std::string& tokenizer, WeightOrigins* origins);

}  // namespace lynceus::train
