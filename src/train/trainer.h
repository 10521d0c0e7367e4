// The training loop: steps, metrics, validation, checkpoints, requests to stop.
#pragma once

#include "core/config.h"
#include "train/session.h"

namespace lynceus {

/// Collective over the world. `reader` has filled `config` and gives its values for the manifest.
/// Returns kDone, or kRequeue after a stop on request; errors are agreed.
ExitCode train(const Runtime& rt, RunConfig config, const ConfigReader& reader);

}  // namespace lynceus
