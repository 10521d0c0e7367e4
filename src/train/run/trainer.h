// The training loop: steps, metrics, validation, checkpoints, requests to stop.
#pragma once

#include "core/config/config.h"
#include "train/run/run_config.h"

namespace lynceus::train {

/// Collective over the world. `reader` has filled `config`; what files decide is resolved in it,
/// and it supplies the values of config.ini and of the manifests. Returns kDone, or kRequeue after
/// a stop on request; errors are agreed.
ExitCode train(const Runtime& rt, RunConfig* config, ConfigReader* reader);

}  // namespace lynceus::train
