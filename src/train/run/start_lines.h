// What the log says about the model and the memory of a run.
#pragma once

#include <string>

#include "model/lynx.h"

namespace lynceus::train {

/// "8,412.7 million parameters: 688.5 million trained (bridge, adapter), 7,724.2 million frozen
/// (vision, llm)": of the whole model, each parameter counted once. Call it before weights are
/// packed. Collective over the world.
std::string describe_parameters(const Runtime& rt, model::LynxModel* model);

/// The largest memory that tensors have taken on any rank so far, with its largest parts, and the
/// mean over the ranks. Collective over the world.
std::string describe_memory(const Runtime& rt);

}  // namespace lynceus::train
