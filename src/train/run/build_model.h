// Builds the model of a run and fills it with the weights that the configuration names.
#pragma once

#include <string>

#include "io/weights/weights.h"
#include "model/lynx.h"
#include "train/run/run_config.h"
#include "train/run/weight_origins.h"

namespace lynceus::train {

/// The LLM's tensors from model.weights and model.weights_delta, under Lynx's names, [PAD] row
/// included. A prefix that all names have in the file is removed; a tied head is left out.
io::WeightSourcePtr open_backbone(const model::ModelConfig& config, const DeltaConfig& delta);
/// InputError unless these are the tensors that the model expects. `reads_head`: a tied head that
/// the files also contain is compared with the embedding, which reads both.
void check_backbone(const model::ModelConfig& config, const DeltaConfig& delta, bool reads_head);
/// The encoder's tensors from vision.weights, under Lynx's names.
io::WeightSourcePtr open_encoder(const model::ModelConfig& config);

/// The tensors of a file under Lynx's names, such as the pretrain_lynx.pt of the released code or
/// an export, [PAD] row included. A tied head is left out; `reads_head` as above.
io::WeightSourcePtr open_lynx_file(const model::ModelConfig& config, const std::string& path,
                                   bool reads_head);

/// The digest that checkpoints keep of the LLM's weights: of its files and their config.json.
/// Collective.
std::string backbone_digest(const model::LlmConfig& config, const io::WeightSource& source,
                            parallel::Communicator& world);

/// Builds the model with random values, then loads the weights of LLM and encoder where the config
/// names files. Collective over the world. `tokenizer` is Tokenizer::describe(); `origins` gets for
/// each module where its values come from. LynxModel::pack() is still to be called.
model::LynxModel build_model(const Runtime& rt, const RunConfig& config,
                             const std::string& tokenizer, WeightOrigins* origins);

}  // namespace lynceus::train
